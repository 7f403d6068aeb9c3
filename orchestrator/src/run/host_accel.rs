//! How guests are run on this host, shared by all trees of a run.

use std::sync::OnceLock;

use tokio::sync::OnceCell;

use crate::lab::{AccelChoice, LabError};
use crate::words::Accel;

/// Found out once by running a guest, and once more when a kernel had to fall back from what that said.
#[derive(Debug, Default)]
pub struct HostAccel {
    probed: OnceCell<AccelChoice>,
    fallback: OnceLock<AccelChoice>,
    native: OnceLock<AccelChoice>,
}

impl HostAccel {
    /// The choice for the next boot; `probe` finds it when nothing is known yet.
    ///
    /// # Errors
    /// Those of `probe`.
    pub async fn choose(&self, probe: impl Future<Output = Result<AccelChoice, LabError>>) -> Result<Accel, LabError> {
        let probed = self.probed.get_or_try_init(|| probe).await?;
        Ok(self.fallback.get().unwrap_or(probed).accel)
    }

    /// A kernel booted otherwise than it was asked to: boots after it need not try in vain.
    pub fn fell_back(&self, accel: Accel) {
        let reason = "emulation: a kernel that boots when it is emulated did not boot under KVM".to_owned();
        self.fallback.get_or_init(|| AccelChoice { accel, reason });
    }

    /// A boot needs no guest: a real machine runs it.
    pub fn native(&self, machine: &str) -> Accel {
        let reason = format!("a real machine ({machine}), no guest");
        self.native.get_or_init(|| AccelChoice { accel: Accel::Native, reason }).accel
    }

    /// What is known of guests; where none was booted, of the real machine.
    pub fn get(&self) -> Option<&AccelChoice> {
        self.fallback.get().or_else(|| self.probed.get()).or_else(|| self.native.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fallback_counts_for_every_boot_after_it() {
        let host = HostAccel::default();
        let kvm = async { Ok(AccelChoice { accel: Accel::Kvm, reason: "KVM".into() }) };
        assert_eq!(host.choose(kvm).await.unwrap(), Accel::Kvm);
        host.fell_back(Accel::Tcg);
        assert_eq!(host.choose(async { unreachable!("it is known") }).await.unwrap(), Accel::Tcg);
        assert_eq!(host.get().unwrap().accel, Accel::Tcg);
        assert!(host.get().unwrap().reason.contains("did not boot under KVM"));
    }
}
