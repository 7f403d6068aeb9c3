//! How mail leaves: SMTP or `git send-email`; and the archive, which is asked when it is not known whether it did.

mod archive;
mod git_send_email;
mod mail;
mod secret;
mod smtp;

pub use mail::{DeliveryError, MailCourier};
