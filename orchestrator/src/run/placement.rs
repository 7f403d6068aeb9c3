//! Which kconfig boots on which machine, and which of its suites run there.

use std::collections::BTreeMap;

use super::engine::RunError;
use super::{Options, gaps};
use crate::config::{Home, closest};
use crate::lab::{self, matching};
use crate::words::{Kconfig, Kind, Machine, Suite, Tags, boot_place};

/// A kconfig on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The kconfig, with the machine named and without the suites that do not run there.
    pub kconfig: Kconfig,
    /// The machine.
    pub machine: Machine,
    /// The kconfig's name in names of units: with the machine where it is not the kconfig's own.
    pub label: String,
}

/// Where everything boots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placements {
    /// In the order of the kconfigs, then of the machines.
    pub places: Vec<Placement>,
    /// What runs nowhere, or not everywhere.
    pub gaps: Vec<gaps::Unplaced>,
}

impl Placements {
    /// Where a kconfig boots.
    pub fn of<'a>(&'a self, kconfig: &'a str) -> impl Iterator<Item = &'a Placement> {
        self.places.iter().filter(move |place| place.kconfig.name == kconfig)
    }
}

/// Reads the machines and suites that the kconfigs name and decides which boots where.
///
/// # Errors
/// When a machine or suite file cannot be used, or the user names a machine that is not there.
pub fn place(home: &Home, kconfigs: &[Kconfig], options: &Options) -> Result<Placements, RunError> {
    let input = |error: lab::LabError| RunError::Input(error.to_string());
    let names = lab::machine_names(home.root()).map_err(input)?;
    for name in &options.machines {
        if !names.contains(name) {
            let near = closest(name, names.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(RunError::Input(format!("there is no machine `{name}` in lab/{hint}")));
        }
    }
    let specs = || kconfigs.iter().filter_map(|kconfig| kconfig.boot.as_ref());
    // Machines that nobody asks for need not be right.
    let any = !options.machines_with.is_empty() || specs().any(|spec| spec.machine.is_none());
    let machines = if any {
        lab::machines(home.root()).map_err(input)?
    } else {
        let mut wanted: Vec<&str> = specs().map(|spec| spec.machine()).collect();
        wanted.extend(options.machines.iter().map(String::as_str));
        wanted.sort_unstable();
        wanted.dedup();
        let mut machines = Vec::new();
        for name in wanted {
            machines.push(lab::machine(home.root(), name).map_err(input)?);
        }
        machines.sort_by_key(matching::preference);
        machines
    };
    let mut suites = BTreeMap::new();
    for name in specs().flat_map(|spec| spec.suites.iter().chain(&spec.benchmarks)) {
        if !suites.contains_key(name) {
            suites.insert(name.clone(), lab::suite(home.root(), name).map_err(input)?);
        }
    }
    // What a kconfig names must be there, even when the command line names other machines.
    if let Some(name) = specs().filter_map(|spec| spec.machine.as_ref()).find(|name| !has(&machines, name)) {
        lab::machine(home.root(), name).map_err(input)?;
    }
    Ok(plan(kconfigs, options, &machines, &suites))
}

fn has(machines: &[Machine], name: &str) -> bool {
    machines.iter().any(|machine| machine.name == name)
}

/// Decides which kconfig boots where. `machines` are in order of preference.
pub fn plan(
    kconfigs: &[Kconfig],
    options: &Options,
    machines: &[Machine],
    suites: &BTreeMap<String, Suite>,
) -> Placements {
    let mut placements = Placements::default();
    for kconfig in kconfigs.iter().filter(|kconfig| kconfig.kind == Kind::Boot && !options.no_boot) {
        let (chosen, gaps) = choose(kconfig, options, machines);
        placements.gaps.extend(gaps);
        let own = own_machine(kconfig, machines);
        for machine in chosen {
            let (narrowed, gaps) = narrow(kconfig, machine, options, suites);
            placements.gaps.extend(gaps);
            let label = boot_place(&kconfig.name, &machine.name, own.map_or("", |own| &own.name));
            placements.places.push(Placement { kconfig: narrowed, machine: machine.clone(), label });
        }
    }
    placements
}

/// The machine of a kconfig when the command line names none.
fn own_machine<'a>(kconfig: &Kconfig, machines: &'a [Machine]) -> Option<&'a Machine> {
    match kconfig.boot.as_ref().and_then(|spec| spec.machine.as_ref()) {
        Some(name) => machines.iter().find(|machine| machine.name == *name),
        None => machines.iter().find(|machine| misfit(kconfig, machine).is_none()),
    }
}

/// The machines that a kconfig boots on, and those that it was to boot on and does not fit.
fn choose<'a>(
    kconfig: &Kconfig,
    options: &Options,
    machines: &'a [Machine],
) -> (Vec<&'a Machine>, Vec<gaps::Unplaced>) {
    let gap = |what: String, why: String| gaps::Unplaced { kconfig: kconfig.name.clone(), what, why };
    let boots = format!("boots of kconfig {}", kconfig.name);
    if options.machines.is_empty() && options.machines_with.is_empty() {
        return match own_machine(kconfig, machines) {
            Some(machine) => match misfit(kconfig, machine) {
                None => (vec![machine], Vec::new()),
                Some(why) => (Vec::new(), vec![gap(boots, why)]),
            },
            None => {
                let wanted = wanted(kconfig);
                let why = format!("no machine in lab/ has {wanted}; a file in lab/ that has would be used");
                (Vec::new(), vec![gap(boots, why)])
            }
        };
    }
    let named = |machine: &&Machine| options.machines.contains(&machine.name);
    let tagged = |machine: &&Machine| {
        let tags = kconfig.boot.as_ref().map(|spec| matching::tags_of(machine, spec)).unwrap_or_default();
        !options.machines_with.is_empty() && matching::unmet(&options.machines_with, &machine.name, &tags).is_empty()
    };
    let asked: Vec<&Machine> = machines.iter().filter(|machine| named(machine) || tagged(machine)).collect();
    if asked.is_empty() {
        let why = format!("no machine in lab/ has {}", list(&options.machines_with));
        return (Vec::new(), vec![gap(boots, why)]);
    }
    let mut chosen = Vec::new();
    let mut gaps = Vec::new();
    for machine in asked {
        match misfit(kconfig, machine) {
            None => chosen.push(machine),
            Some(why) => gaps.push(gap(format!("{boots} on {}", machine.name), why)),
        }
    }
    (chosen, gaps)
}

/// Why a kconfig does not boot on a machine, when it does not.
fn misfit(kconfig: &Kconfig, machine: &Machine) -> Option<String> {
    let spec = kconfig.boot.as_ref()?;
    if machine.arch() != kconfig.arch {
        let (name, arch) = (&machine.name, machine.arch());
        return Some(format!("{} is for {}; {name} boots {arch}", kconfig.name, kconfig.arch));
    }
    let unmet = matching::unmet(&spec.needs, &machine.name, &matching::tags_of(machine, spec));
    (!unmet.is_empty()).then(|| format!("kconfig {} needs {}", kconfig.name, unmet.join(", ")))
}

/// What a kconfig wants of any machine.
fn wanted(kconfig: &Kconfig) -> String {
    let mut needs = kconfig.boot.as_ref().map(|spec| spec.needs.clone()).unwrap_or_default();
    needs.insert("arch".to_owned(), kconfig.arch.clone());
    list(&needs)
}

fn list(tags: &Tags) -> String {
    tags.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
}

/// The kconfig as it boots on a machine: with the machine named, and only the suites whose needs it meets.
fn narrow(
    kconfig: &Kconfig,
    machine: &Machine,
    options: &Options,
    suites: &BTreeMap<String, Suite>,
) -> (Kconfig, Vec<gaps::Unplaced>) {
    let mut narrowed = kconfig.clone();
    let mut gaps = Vec::new();
    let Some(spec) = &mut narrowed.boot else { return (narrowed, gaps) };
    let tags = matching::tags_of(machine, spec);
    spec.machine = Some(machine.name.clone());
    // The same boot has the same key, however the machine was found.
    spec.needs.clear();
    let asked = |name: &str| {
        let of = |test: &String| test == name || test.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        options.tests.is_empty() || options.tests.iter().any(of)
    };
    let mut keep = |names: &mut Vec<String>, run: bool| {
        names.retain(|name| {
            let needs = suites.get(name).map(|suite| &suite.needs);
            let unmet = needs.map(|needs| matching::unmet(needs, &machine.name, &tags)).unwrap_or_default();
            if !unmet.is_empty() && run && asked(name) {
                let what = format!("suite {name} on {}", machine.name);
                let why = format!("suite {name} needs {}", unmet.join(", "));
                gaps.push(gaps::Unplaced { kconfig: kconfig.name.clone(), what, why });
            }
            unmet.is_empty()
        });
    };
    keep(&mut spec.suites, true);
    keep(&mut spec.benchmarks, !options.clocks.is_empty());
    (narrowed, gaps)
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
