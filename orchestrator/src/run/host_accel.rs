//! How guests are run on this host, shared by all trees of a run.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use super::builds::HostTools;
use crate::lab::{AccelChoice, LabError};
use crate::words::Accel;

/// What is known of one QEMU program.
type Probed = Arc<OnceCell<AccelChoice>>;

/// Found out once for each QEMU by running a guest, and once more when a kernel had to fall back from what that said.
#[derive(Debug, Default)]
pub struct HostAccel {
    /// By program, in the order in which they were asked for.
    probed: Mutex<Vec<(String, Probed)>>,
    fallback: Mutex<Vec<(String, AccelChoice)>>,
    native: OnceLock<AccelChoice>,
}

impl HostAccel {
    /// The choice for the next boot with the QEMU called `binary`; `probe` finds it when nothing is known yet.
    ///
    /// # Errors
    /// Those of `probe`.
    pub async fn choose(
        &self,
        binary: &str,
        probe: impl Future<Output = Result<AccelChoice, LabError>>,
    ) -> Result<Accel, LabError> {
        let cell = self.cell(binary);
        let probed = cell.get_or_try_init(|| probe).await?;
        Ok(self.fallback_of(binary).map_or(probed.accel, |choice| choice.accel))
    }

    fn cell(&self, binary: &str) -> Probed {
        let mut probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        match probed.iter().find(|(known, _)| known == binary) {
            Some((_, cell)) => cell.clone(),
            None => {
                let cell = Probed::default();
                probed.push((binary.to_owned(), cell.clone()));
                cell
            }
        }
    }

    fn fallback_of(&self, binary: &str) -> Option<AccelChoice> {
        let fallback = self.fallback.lock().unwrap_or_else(PoisonError::into_inner);
        fallback.iter().find(|(known, _)| known == binary).map(|(_, choice)| choice.clone())
    }

    /// A kernel booted otherwise than it was asked to: boots after it need not try in vain.
    pub fn fell_back(&self, binary: &str, accel: Accel) {
        let mut fallback = self.fallback.lock().unwrap_or_else(PoisonError::into_inner);
        if !fallback.iter().any(|(known, _)| known == binary) {
            let reason = "emulation: a kernel that boots when it is emulated did not boot under KVM".to_owned();
            fallback.push((binary.to_owned(), AccelChoice { accel, reason }));
        }
    }

    /// A boot needs no guest: a real machine runs it.
    pub fn native(&self, machine: &str) -> Accel {
        let reason = format!("a real machine ({machine}), no guest");
        self.native.get_or_init(|| AccelChoice { accel: Accel::Native, reason }).accel
    }

    /// What is known of the QEMU that was asked for first; where no guest was booted, of the real machine.
    pub fn get(&self) -> Option<AccelChoice> {
        let probed = self.probed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = |(binary, cell): &(String, Probed)| self.fallback_of(binary).or_else(|| cell.get().cloned());
        probed.iter().find_map(first).or_else(|| self.native.get().cloned())
    }
}

/// What is found out about this host once for all trees.
pub struct Host {
    /// The tools for each kconfig.
    pub tools: HostTools,
    /// How guests are run.
    pub accel: Arc<HostAccel>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fallback_counts_for_every_boot_after_it_with_the_same_program() {
        let host = HostAccel::default();
        let choice = |accel| async move { Ok(AccelChoice { accel, reason: "probed".into() }) };
        assert_eq!(host.choose("q", choice(Accel::Kvm)).await.unwrap(), Accel::Kvm);
        host.fell_back("q", Accel::Tcg);
        assert_eq!(host.choose("q", async { unreachable!("it is known") }).await.unwrap(), Accel::Tcg);
        assert_eq!(host.get().unwrap().accel, Accel::Tcg);
        assert!(host.get().unwrap().reason.contains("did not boot under KVM"));
        assert_eq!(host.choose("other", choice(Accel::Kvm)).await.unwrap(), Accel::Kvm, "another's trouble");
    }
}
