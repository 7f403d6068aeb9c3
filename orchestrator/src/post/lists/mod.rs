//! Who hears of results: `series/lists.yaml` and the user's own file.

mod file;
mod load;
mod policy;
mod recipients;

pub use file::{Audience, GitSendEmailEntry, ListsFile, PolicyEntry, Security, SenderEntry, SmtpEntry, When};
pub use load::{Transport, is_address, load, user_file};
pub use policy::{Lists, Sender, quote};
pub use recipients::{Choice, Recipients, Verdict, recipients};
#[cfg(test)]
mod tests;
