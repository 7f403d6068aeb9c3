//! The board on which finished builds are pinned, so that boots can start as soon as what they need is there.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::words::{BuildOutcome, BuildRecord};

/// What is known of the builds of one kconfig, by revision index (0 is the base).
type Known = BTreeMap<usize, BuildRecord>;

/// The builds of one kconfig as they come in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Board {
    /// Index of the tip: the number of patches.
    pub tip: usize,
    known: watch::Receiver<Known>,
}

/// The writing end of a [`Board`]; when it is dropped no further builds come.
#[derive(Debug)]
pub struct Pins(watch::Sender<Known>);

impl Pins {
    /// Pins a finished build.
    pub fn pin(&self, record: BuildRecord) {
        self.0.send_modify(|known| {
            known.insert(record.revision.index(), record);
        });
    }
}

impl Board {
    /// A board for revisions 0..=`tip`, and its writing end.
    pub fn new(tip: usize) -> (Pins, Board) {
        let (sender, known) = watch::channel(Known::new());
        (Pins(sender), Board { tip, known })
    }

    /// The build of a revision once it is there; `None` when it never will be.
    pub async fn wait(&self, index: usize) -> Option<BuildRecord> {
        let mut known = self.known.clone();
        match known.wait_for(|known| known.contains_key(&index)).await {
            Ok(known) => known.get(&index).cloned(),
            Err(_) => self.get(index),
        }
    }

    /// The build of a revision if it is there now.
    pub fn get(&self, index: usize) -> Option<BuildRecord> {
        self.known.borrow().get(&index).cloned()
    }

    /// Waits until a build is known that boots differently from the base. `false` when all builds are in and none
    /// does: then nothing has to be booted.
    pub async fn any_differs(&self) -> bool {
        self.any(|base, other| !same_artefacts(base, other)).await
    }

    /// The same for the kernel alone: selftests have no cost.
    pub async fn any_kernel_differs(&self) -> bool {
        self.any(|base, other| base.artefacts.image != other.artefacts.image).await
    }

    async fn any(&self, differ: impl Fn(&BuildRecord, &BuildRecord) -> bool) -> bool {
        let differs = |known: &Known| {
            let base = known.get(&0);
            base.is_some_and(|base| known.values().any(|other| bootable(other) && differ(base, other)))
        };
        let mut known = self.known.clone();
        match known.wait_for(|known| differs(known) || known.len() == self.tip + 1).await {
            Ok(known) => differs(&known),
            Err(_) => differs(&self.known.borrow()),
        }
    }
}

/// Whether a build can be booted.
pub fn bootable(build: &BuildRecord) -> bool {
    let built = match build.outcome {
        BuildOutcome::Built | BuildOutcome::SelftestsFailed { .. } => true,
        BuildOutcome::Failed { .. } | BuildOutcome::Infra { .. } | BuildOutcome::NotRun { .. } => false,
    };
    built && build.artefacts.image.is_some()
}

/// Whether two builds have the same kernel and the same selftests, so that booting both would be doing work twice.
pub fn same_artefacts(one: &BuildRecord, other: &BuildRecord) -> bool {
    one.artefacts.image.is_some()
        && one.artefacts.image == other.artefacts.image
        && one.artefacts.selftests == other.artefacts.selftests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing::build;

    #[tokio::test]
    async fn the_base_is_not_booted_until_something_differs() {
        let (pins, board) = Board::new(2);
        pins.pin(build(0, 2, "same"));
        pins.pin(build(1, 2, "same"));
        let waiting = board.any_differs();
        tokio::pin!(waiting);
        assert!(futures_poll(waiting.as_mut()).is_none());
        pins.pin(build(2, 2, "other"));
        assert!(waiting.await);
    }

    #[tokio::test]
    async fn identical_images_need_no_boot() {
        let (pins, board) = Board::new(1);
        pins.pin(build(0, 1, "same"));
        pins.pin(build(1, 1, "same"));
        assert!(!board.any_differs().await);
    }

    #[tokio::test]
    async fn a_board_without_writer_keeps_nobody_waiting() {
        let (pins, board) = Board::new(1);
        pins.pin(build(0, 1, "same"));
        drop(pins);
        assert!(board.wait(1).await.is_none());
        assert!(board.wait(0).await.is_some());
        assert!(!board.any_differs().await);
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
