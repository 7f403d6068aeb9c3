//! The QEMU plugin that this program carries.

use camino::{Utf8Path, Utf8PathBuf};

use super::carried;

/// The plugin: a shared library for the host's QEMU, built from `lab/plugin` by the build script.
static PLUGIN: &[u8] = include_bytes!(env!("ORCHESTRATOR_PLUGIN"));

/// Content hash of the plugin (blake3, hex): part of what determines the counts of a boot.
pub fn plugin_hash() -> String {
    blake3::hash(PLUGIN).to_hex().to_string()
}

/// Name of the plugin's file in the folder `plugins` of the cache.
pub fn plugin_file() -> String {
    format!("{}.so", plugin_hash())
}

/// Puts the plugin into the cache, where QEMU can load it.
///
/// # Errors
/// When the disk refuses; the error names the file.
pub fn install_plugin(cache: &Utf8Path) -> std::io::Result<Utf8PathBuf> {
    let path = cache.join("plugins").join(plugin_file());
    carried::place(&path, PLUGIN)?;
    Ok(path)
}

/// Value of QEMU's option `-plugin`, which is split at commas.
pub fn plugin_option(plugin: &Utf8Path, symbols: &Utf8Path, out: &Utf8Path) -> String {
    // Two commas are one to QEMU.
    let escape = |path: &Utf8Path| path.as_str().replace(',', ",,");
    format!("file={},symbols={},out={}", escape(plugin), escape(symbols), escape(out))
}

#[cfg(test)]
mod tests {
    use super::super::{Counts, tiny};
    use super::*;

    #[test]
    fn the_plugin_is_a_shared_library() {
        assert_eq!(&PLUGIN[..5], b"\x7fELF\x02");
        const ET_DYN: u8 = 3;
        assert_eq!(PLUGIN[16], ET_DYN);
        for name in ["qemu_plugin_install", "qemu_plugin_version"] {
            assert!(PLUGIN.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let cache = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(cache.path()).unwrap();
        let path = install_plugin(cache).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), PLUGIN);
        std::fs::write(&path, "").unwrap();
        assert_eq!(install_plugin(cache).unwrap(), path);
        assert_eq!(std::fs::read(&path).unwrap(), PLUGIN);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }

    /// Runs a guest of a few instructions with the plugin. Without QEMU on this host there is nothing to load it into.
    #[test]
    fn qemu_loads_it_and_it_counts() {
        const QEMU: &str = "qemu-system-x86_64";
        if std::process::Command::new(QEMU).arg("--version").output().is_err() {
            eprintln!("{QEMU} is not installed: the plugin was not loaded");
            return;
        }
        let mark = |command: u16| [&[0x0f, 0x1f, 0x84, 0x00][..], &command.to_le_bytes(), &[0x4d, 0x4d]].concat();
        let code = [
            mark(1), // phase 2
            mark(0),
            mark(0x100),
            vec![0xb9, 0xe8, 0x03, 0x00, 0x00], // mov ecx, 1000
            vec![0xe2, 0xfe],                   // loop to itself
            mark(0x101),
            vec![0xb0, tiny::SIGN, 0xe6, 0xf4, 0xf4], // mov al, SIGN; out 0xf4, al; hlt
        ]
        .concat();
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let plugin = install_plugin(dir).unwrap();
        std::fs::write(dir.join("guest"), tiny::image_of(&code)).unwrap();
        std::fs::write(dir.join("symbols"), "ffffffff81000000 startup_64\n").unwrap();
        let out = dir.join("counts");
        let status = std::process::Command::new(QEMU)
            .args(crate::lab::qemu::base())
            .args(["-machine", "microvm", "-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off", "-smp", "1"])
            .args(["-m", "16M", "-monitor", "none", "-serial", "none"])
            .args(tiny::EXIT_DEVICE)
            .args(["-plugin", &plugin_option(&plugin, &dir.join("symbols"), &out)])
            .args(["-kernel", dir.join("guest").as_str()])
            .stdin(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(tiny::EXIT_CODE));
        let counts = Counts::read(&std::fs::read(out).unwrap()).unwrap();
        assert!(counts.complete && counts.rejected.is_empty(), "{:?}", counts.rejected);
        let window = &counts.windows[&(0, 2)];
        assert_eq!((window.total, window.functions.get("(user)")), (1001, Some(&1001)));
    }

    #[test]
    fn commas_survive_qemus_option_parser() {
        let option = plugin_option("/c/p.so".into(), "a,b".into(), "o".into());
        assert_eq!(option, "file=/c/p.so,symbols=a,,b,out=o");
    }
}
