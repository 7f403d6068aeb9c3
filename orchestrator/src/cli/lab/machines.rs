//! Machines by name, for every subcommand.

use super::Failure;
use super::start::Places;
use crate::lab;
use crate::words::{Dut, Hardware, Machine};

/// Names of all machine files, sorted.
pub fn names(places: &Places) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs_err::read_dir(places.home.lab_dir()).map_err(Failure::infra)? {
        let path = entry.map_err(Failure::infra)?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if path.extension().is_some_and(|extension| extension == "yaml") {
            names.extend(stem.map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// One machine.
pub fn machine(places: &Places, name: &str) -> Result<Machine, Failure> {
    let known = names(places)?;
    if !known.iter().any(|known| known == name) {
        let near = crate::config::closest(name, known.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        return Err(Failure::usage(format!("there is no machine `{name}` in {}{hint}", places.home.lab_dir())));
    }
    lab::machine(places.home.root(), name).map_err(Failure::usage)
}

/// One machine that must be a box.
pub fn dut(places: &Places, name: &str) -> Result<(Machine, Box<Dut>), Failure> {
    let machine = machine(places, name)?;
    match &machine.hardware {
        Hardware::Dut(dut) => Ok((machine.clone(), dut.clone())),
        Hardware::Qemu(_) => {
            Err(Failure::usage(format!("{name} is a guest: it has no power switch and needs no care")))
        }
        Hardware::Lava(_) => Err(Failure::usage(format!("{name} is a device of LAVA's, which takes care of it"))),
    }
}
