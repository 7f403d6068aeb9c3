//! The content key of a build: a hash of everything that determines its result, and of nothing else.

use serde::Serialize;

use super::BuildRequest;
use crate::words::{BootImage, Kind};

/// Raised whenever this room builds or reads something differently, so that old results are not taken for new ones.
const FORMAT: u32 = 2;

/// What goes into the key. The kconfig's name, purpose, profile and boot are not in it, but for the image: they do not
/// change what is built.
#[derive(Serialize)]
struct Inputs<'a> {
    format: u32,
    source_tree: &'a str,
    kind: Kind,
    arch: &'a str,
    base: &'a str,
    seed: Option<u32>,
    fragments: Vec<&'a str>,
    require: &'a std::collections::BTreeMap<String, String>,
    optional: std::collections::BTreeSet<&'a str>,
    toolchain: &'a str,
    cross_compile: &'a str,
    compiler: &'a str,
    make: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<BootImage>,
    selftests: Vec<String>,
    touched: std::collections::BTreeSet<&'a str>,
}

/// Key of the build that `request` asks for with the tools that `toolchain` describes (see [`super::toolchain()`]).
///
/// It is the same on every host and for every cache folder, job count, revision number and series version.
pub fn key(request: &BuildRequest, toolchain: &str) -> String {
    let kconfig = &request.kconfig;
    let reach: &[String] = match kconfig.kind {
        Kind::Compile => &request.touched,
        Kind::Link | Kind::Boot => &[],
    };
    let inputs = Inputs {
        format: FORMAT,
        source_tree: &request.revision.tree,
        kind: kconfig.kind,
        arch: &kconfig.arch,
        base: &kconfig.base,
        seed: kconfig.seed,
        fragments: kconfig.fragments.iter().map(|fragment| fragment.text.as_str()).collect(),
        require: &kconfig.require,
        optional: kconfig.optional.iter().map(String::as_str).collect(),
        toolchain: &kconfig.toolchain,
        cross_compile: &kconfig.cross_compile,
        compiler: toolchain,
        make: request.extra_make(),
        image: kconfig.boot.as_ref().and_then(|boot| boot.image),
        selftests: request.selftests(),
        touched: reach.iter().map(String::as_str).collect(),
    };
    // JSON keeps the fields apart, whatever they contain.
    let text = serde_json::to_string(&inputs).expect("plain data always serialises");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::testing::request;
    use crate::words::BootSpec;

    #[test]
    fn the_key_ignores_what_does_not_change_the_result() {
        let one = request();
        let mut two = request();
        two.kconfig.name = "other".into();
        two.kconfig.about = "something else".into();
        two.kconfig.fragments[0].name = "renamed.config".into();
        two.source = "/elsewhere".into();
        two.jobs = 64;
        two.revision.revision = crate::words::Revision::Patch { number: 2, total: 9 };
        two.revision.commit = "f".repeat(40);
        two.touched.push("mm/hmm.c".into());
        assert_eq!(key(&one, "gcc 12"), key(&two, "gcc 12"));
    }

    #[test]
    fn the_key_depends_on_everything_that_does() {
        type Change = (&'static str, fn(&mut BuildRequest));
        let changes: [Change; 15] = [
            ("source", |r| r.revision.tree = "e".repeat(40)),
            ("fragment", |r| r.kconfig.fragments[0].text.push_str("CONFIG_X=y\n")),
            ("base", |r| r.kconfig.base = "allnoconfig".into()),
            ("image", |r| {
                r.kconfig.boot = Some(BootSpec { image: Some(BootImage::BzImage), ..BootSpec::default() });
            }),
            ("seed", |r| r.kconfig.seed = Some(7)),
            ("arch", |r| r.kconfig.arch = "arm64".into()),
            ("cross", |r| r.kconfig.cross_compile = "aarch64-linux-gnu-".into()),
            ("clang", |r| r.kconfig.toolchain = "clang".into()),
            ("make", |r| r.kconfig.make.push("W=1".into())),
            ("w1", |r| r.options.w1 = true),
            ("sparse", |r| r.options.sparse = true),
            ("kind", |r| r.kconfig.kind = Kind::Link),
            ("suite", |r| r.suites[0].selftest = Some("mm/cow".into())),
            ("require", |r| drop(r.kconfig.require.insert("X".into(), "y".into()))),
            ("optional", |r| r.kconfig.optional.push("X".into())),
        ];
        let plain = key(&request(), "gcc 12");
        assert_ne!(plain, key(&request(), "gcc 13"));
        for (name, change) in changes {
            let mut other = request();
            change(&mut other);
            assert_ne!(plain, key(&other, "gcc 12"), "{name}");
        }
    }

    #[test]
    fn only_kind_compile_depends_on_what_the_series_touches() {
        let mut one = request();
        one.kconfig.kind = Kind::Compile;
        let mut two = one.clone();
        two.touched = vec!["mm/hmm.c".into(), "lib/test_hmm.c".into()];
        assert_ne!(key(&one, "gcc 12"), key(&two, "gcc 12"));
        let mut three = two.clone();
        three.touched.reverse();
        assert_eq!(key(&two, "gcc 12"), key(&three, "gcc 12"));
    }

    #[test]
    fn w1_as_option_and_as_make_variable_are_the_same() {
        let mut one = request();
        one.options.w1 = true;
        let mut two = request();
        two.kconfig.make.push("W=1".into());
        assert_eq!(key(&one, ""), key(&two, ""));
    }
}
