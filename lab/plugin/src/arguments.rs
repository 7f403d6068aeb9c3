//! The plugin's arguments.

use std::path::PathBuf;

/// What QEMU's command line says after `file=`.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The symbol table.
    pub symbols: PathBuf,
    /// Where the counts go.
    pub out: PathBuf,
}

impl Arguments {
    /// Reads `symbols=PATH` and `out=PATH`.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Arguments, String> {
        let (mut symbols, mut out) = (None, None);
        for word in words {
            let place = match word.split_once('=') {
                Some(("symbols", path)) => (&mut symbols, path),
                Some(("out", path)) => (&mut out, path),
                _ => return Err(format!("unknown argument `{word}`; known are symbols=PATH and out=PATH")),
            };
            if place.1.is_empty() || place.0.replace(PathBuf::from(place.1)).is_some() {
                return Err(format!("`{word}`: each argument once, with a path"));
            }
        }
        match (symbols, out) {
            (Some(symbols), Some(out)) => Ok(Arguments { symbols, out }),
            _ => Err("symbols=PATH and out=PATH are needed".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_paths_once() {
        let parsed = Arguments::parse(["out=/o=1", "symbols=s"].into_iter()).unwrap();
        assert_eq!(parsed, Arguments { symbols: "s".into(), out: "/o=1".into() });
        for bad in [&["out=o"][..], &["symbols=s"], &["symbols=s", "out="], &["symbols=s", "out=o", "out=p"], &["x=1"]]
        {
            assert!(Arguments::parse(bad.iter().copied()).is_err(), "{bad:?}");
        }
    }
}
