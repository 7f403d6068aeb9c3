//! Records for tests of every room.

use super::{Fragment, Kconfig, Kind, Profile};

/// A kconfig with one fragment.
pub fn kconfig(name: &str, kind: Kind) -> Kconfig {
    Kconfig {
        name: name.into(),
        about: "about".into(),
        kind,
        profile: Profile::Quick,
        arch: "x86_64".into(),
        base: "tinyconfig".into(),
        seed: None,
        fragments: vec![Fragment { name: "a.config".into(), text: "CONFIG_A=y\n".into() }],
        require: Default::default(),
        optional: Vec::new(),
        toolchain: "gcc".into(),
        cross_compile: String::new(),
        make: Vec::new(),
        boot: (kind == Kind::Boot).then(Default::default),
    }
}
