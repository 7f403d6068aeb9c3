//! Whether a kernel can report trouble at all.

/// Symbols without which a quiet log proves nothing, and what is lost without them.
const NEEDED: [(&str, &str); 3] = [
    ("CONFIG_PRINTK", "there is no kernel log"),
    ("CONFIG_BUG", "every WARN and BUG is compiled out"),
    ("CONFIG_KALLSYMS", "reports name addresses instead of functions"),
];

/// Whether the kernel with this resolved `.config` is able to report trouble in its log; else why not and what to set.
///
/// `CONFIG_DEBUG_BUGVERBOSE` is not asked for: without it reports lack file and line, but they are made.
pub fn log_checked(config: &str) -> Result<(), String> {
    let set = |symbol: &str| {
        config.lines().any(|line| {
            line.trim().strip_prefix(symbol).and_then(|rest| rest.strip_prefix('=')).is_some_and(|value| value == "y")
        })
    };
    let missing: Vec<_> = NEEDED.iter().filter(|(symbol, _)| !set(symbol)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lost: Vec<String> = missing.iter().map(|(symbol, lost)| format!("{symbol} is not set: {lost}")).collect();
    let remedy: Vec<String> = missing.iter().map(|(symbol, _)| format!("{symbol}=y")).collect();
    Err(format!("{}; set {} in a fragment of the kconfig", lost.join("; "), remedy.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_can_speak() {
        let config = "CONFIG_PRINTK=y\nCONFIG_BUG=y\n# CONFIG_DEBUG_BUGVERBOSE is not set\nCONFIG_KALLSYMS=y\n";
        assert_eq!(log_checked(config), Ok(()));
    }

    #[test]
    fn a_tiny_kernel_says_nothing() {
        let error =
            log_checked("CONFIG_PRINTK=y\nCONFIG_BUG_ON_DATA_CORRUPTION=y\n# CONFIG_BUG is not set\n").unwrap_err();
        assert!(error.contains("CONFIG_BUG is not set: every WARN and BUG is compiled out"), "{error}");
        assert!(error.ends_with("set CONFIG_BUG=y CONFIG_KALLSYMS=y in a fragment of the kconfig"), "{error}");
        assert!(!error.contains("CONFIG_PRINTK"), "{error}");
        assert!(log_checked("").unwrap_err().contains("there is no kernel log"));
    }
}
