//! The nightly run: follows series and trees, and tests what changed.
//!
//! `series/nightly.yaml` ([`Nightly`]) says what is followed. Every night is written into `results/nightly/events.jsonl`
//! ([`Journal`]), from which [`State`] is derived. [`plan()`] is pure: from the state, the newest versions and the trees'
//! commits to what is run, or to why nothing is. [`night()`] carries it out through [`Hands`], narrow traits behind which
//! archives, trees, runs and posting lie; [`Desk`] has the real ones. [`judge_base`] tells a broken base from a broken
//! series, so that nobody is blamed for the former.
//!
//! What is desired minus what the journal says is done: that is all there is to resuming. A run that was cut off is
//! gone on with, a verdict that was not told is told, nothing is done twice.

mod clock;
mod desk;
mod disk;
mod file;
#[cfg(test)]
mod format_tests;
mod hands;
mod health;
mod journal;
mod lock;
mod night;
mod outbox_poster;
mod plan;
mod state;
mod summary;
#[cfg(test)]
mod testing;
mod units;
mod words;

pub use clock::{Clock, SystemClock};
pub use desk::Desk;
pub use disk::CacheDisk;
pub use file::{Followed, FollowedSeries, Keep, Nightly, NightlyFile, PostPolicy, read as read_file};
pub use hands::{Disk, Hands, Newest, Poster, Runner, TreeState, Trees, Versions};
pub use health::{BaseNews, BaseRecord, BaseStanding, KconfigBase, judge_base, news};
pub use journal::{FileJournal, Journal, folder, night_folder, read_journal};
pub use lock::{Busy, LockError, NightLock};
pub use night::{NightError, Setting, night};
pub use outbox_poster::OutboxPoster;
pub use plan::{Job, NightPlan, Sight, Why, plan};
pub use state::{BaseHistory, LastRun, NightRecord, State, TargetRecord};
pub use summary::{Summary, SummaryLine, Weight};
pub use units::{Places as UnitPlaces, Unit, cron_text, service_text, timer_text};
pub use words::{NightEvent, RunOutcome, Subject, Target, VerdictChange};

#[cfg(test)]
pub use file::parse as parse_file;

#[cfg(test)]
mod night_tests;
