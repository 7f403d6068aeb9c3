//! What boxes and their BMCs say, for fuzzing.

use super::power::{Act, PowerState, ipmi_state};
use super::redfish::state;
use super::serial::printable;
use super::ssh::parse_who;
use crate::fuzz::assert_harmless;

/// Redfish, ipmitool, the box itself by ssh and on its console. What is no answer is no state, and nothing that moves a
/// cursor is left of a console.
pub fn said(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(PowerState::On) = state(&text) {
        assert!(text.contains("On"));
    }
    if ipmi_state(Act::Status, &text) != PowerState::Unknown {
        assert!(text.trim().starts_with("Chassis Power is o"));
    }
    match parse_who(&text) {
        Ok(answer) => {
            assert!(answer.build_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(answer.uname.len() + answer.boot_id.len() + answer.build_id.len() <= text.len());
        }
        Err(error) => assert!(!error.is_empty()),
    }
    for line in text.split('\n') {
        let shown = printable(line);
        assert!(shown.len() <= line.len());
        assert_harmless(&shown.replace('\t', " "));
        assert_eq!(printable(&shown), shown);
    }
}
