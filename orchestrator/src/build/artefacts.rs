//! Taking from `O=` what a boot needs.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::image::{build_id, hash_loaded, load_order, module_depends};
use super::make::image;
use crate::words::{Artefacts, Kconfig, Kind};

/// Copies image and modules from `out` to `staging` and hashes what is loaded.
///
/// # Errors
/// When a file is missing or unreadable after a make that was complete; one line.
pub(super) fn collect(out: &Utf8Path, staging: &Utf8Path, kconfig: &Kconfig) -> Result<Artefacts, String> {
    let kind = kconfig.kind;
    let mut artefacts = Artefacts::default();
    let io = |error: std::io::Error| error.to_string();
    match kind {
        Kind::Compile => return Ok(artefacts),
        Kind::Link | Kind::Boot => {}
    }
    let mut hasher = blake3::Hasher::new();
    let vmlinux = fs_err::read(out.join("vmlinux")).map_err(io)?;
    hash_loaded(&mut hasher, &vmlinux).map_err(|error| format!("vmlinux: {error}"))?;
    artefacts.build_id = build_id(&vmlinux).map_err(|error| format!("vmlinux: {error}"))?;
    if kind == Kind::Boot {
        let (_, file) = image(kconfig);
        let name = Utf8Path::new(file).file_name().unwrap_or(file);
        fs_err::copy(out.join(file), staging.join(name)).map_err(io)?;
        if name != "vmlinux" {
            // Addresses in a kernel log are looked up in the ELF file.
            fs_err::copy(out.join("vmlinux"), staging.join("vmlinux")).map_err(io)?;
        }
        artefacts.image_file = Some(name.to_owned());
        artefacts.modules = modules(out, staging, &mut hasher)?;
    }
    artefacts.image = Some(hasher.finalize().to_hex().to_string());
    Ok(artefacts)
}

fn modules(out: &Utf8Path, staging: &Utf8Path, hasher: &mut blake3::Hasher) -> Result<Vec<String>, String> {
    let io = |error: std::io::Error| error.to_string();
    let list = out.join("modules.order");
    let order = if list.exists() { fs_err::read_to_string(list).map_err(io)? } else { String::new() };
    let mut paths = BTreeMap::new();
    let mut names = Vec::new();
    for path in module_paths(&order) {
        // The module's own name has underscores where its file may have dashes.
        let name = Utf8Path::new(&path).file_stem().unwrap_or_default().replace('-', "_");
        names.push(name.clone());
        paths.insert(name, path);
    }
    let mut depends = BTreeMap::new();
    for (name, path) in &paths {
        let bytes = fs_err::read(out.join(path)).map_err(io)?;
        depends.insert(name.clone(), module_depends(&bytes).map_err(|error| format!("{path}: {error}"))?);
    }
    let mut files = Vec::new();
    for name in load_order(&names, &depends) {
        let from = out.join(&paths[&name]);
        let bytes = fs_err::read(&from).map_err(io)?;
        hasher.update(name.as_bytes());
        hash_loaded(hasher, &bytes).map_err(|error| format!("{from}: {error}"))?;
        let file = format!("modules/{}", from.file_name().unwrap_or_default());
        fs_err::create_dir_all(staging.join("modules")).map_err(io)?;
        fs_err::copy(&from, staging.join(&file)).map_err(io)?;
        files.push(file);
    }
    Ok(files)
}

/// Paths of modules from `modules.order`, which lists objects in newer trees and `kernel/...ko` in older ones.
fn module_paths(order: &str) -> Vec<String> {
    let lines = order.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| Utf8Path::new(line.strip_prefix("kernel/").unwrap_or(line)).with_extension("ko").to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_lists_of_old_and_new_trees() {
        assert_eq!(module_paths("lib/test_hmm.o\n\nlib/a-b.ko\n"), ["lib/test_hmm.ko", "lib/a-b.ko"]);
    }
}
