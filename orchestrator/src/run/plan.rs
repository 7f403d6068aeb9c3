//! What a run is going to do, as far as that is known: for the units still to come and the time they will take.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::history::History;
use super::placement::Placements;
use crate::words::{Event, EventSink, Kconfig, PendingUnit, Revision, UnitKind, boot_unit, build_unit};

/// A unit of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub unit: String,
    /// Its kind.
    pub kind: UnitKind,
    /// True when its result is there already.
    pub known: bool,
}

impl Expected {
    /// A unit whose result is not known to be there.
    pub fn open(unit: String, kind: UnitKind) -> Expected {
        Expected { unit, kind, known: false }
    }
}

/// The units of one tree.
#[derive(Debug, Default)]
struct TreeUnits {
    name: String,
    /// Fetching, applying, building.
    made: Vec<Expected>,
    /// By kconfig and machine.
    boots: BTreeMap<String, Vec<Expected>>,
}

#[derive(Debug, Default)]
struct State {
    trees: Vec<TreeUnits>,
    /// Whether any tree's results were looked up. Before that the time left could only be exaggerated.
    looked_up: bool,
    said: Option<Event>,
}

/// The plan of a run. It says so whenever it changes.
pub struct Plan {
    history: History,
    events: EventSink,
    state: Mutex<State>,
}

impl Plan {
    /// A plan without trees.
    pub fn new(history: History, events: EventSink) -> Plan {
        Plan { history, events, state: Mutex::default() }
    }

    /// Plans a tree by what its series and its kconfigs ask for, before anything is looked up.
    pub fn guess(&self, tree: &str, patches: usize, kconfigs: &[Kconfig], placements: &Placements) {
        let revisions = || {
            (0..=patches).map(|number| match number {
                0 => Revision::Base,
                number => Revision::Patch { number, total: patches },
            })
        };
        let mut made = preparing(tree);
        for revision in revisions() {
            let builds = kconfigs.iter().map(|kconfig| build_unit(tree, revision, &kconfig.name));
            made.extend(builds.map(|unit| Expected::open(unit, UnitKind::Build)));
        }
        let tip = revisions().next_back().unwrap_or(Revision::Base);
        let places = placements.places.iter();
        let boots = places.map(|place| (place.label.clone(), all_boots(tree, tip, &place.label))).collect();
        self.lock().trees.push(TreeUnits { name: tree.to_owned(), made, boots });
    }

    /// Says that nothing can be built on a tree.
    pub fn give_up(&self, tree: &str) {
        self.change(tree, |units| {
            units.made = preparing(tree);
            units.boots.clear();
        });
        self.say();
    }

    /// Takes over what was looked up of a tree's builds.
    pub fn builds(&self, tree: &str, builds: Vec<Expected>) {
        self.change(tree, |units| {
            units.made = preparing(tree);
            units.made.extend(builds);
        });
        self.lock().looked_up = true;
    }

    /// Takes over which boots a kconfig needs on a machine: `label` names both.
    pub fn boots(&self, tree: &str, label: &str, boots: Vec<Expected>) {
        self.change(tree, |units| drop(units.boots.insert(label.to_owned(), boots)));
    }

    fn change(&self, tree: &str, change: impl FnOnce(&mut TreeUnits)) {
        if let Some(units) = self.lock().trees.iter_mut().find(|units| units.name == tree) {
            change(units);
        }
    }

    /// Says what is planned now, if that is not what was said last.
    pub fn say(&self) {
        let mut state = self.lock();
        let event = self.event(&state);
        if state.said.as_ref() != Some(&event) {
            state.said = Some(event.clone());
            drop(state);
            (self.events)(event);
        }
    }

    fn event(&self, state: &State) -> Event {
        let units = || state.trees.iter().flat_map(|tree| tree.made.iter().chain(tree.boots.values().flatten()));
        let open = units().filter(|unit| !unit.known && state.looked_up);
        let pending = open.map(|unit| PendingUnit {
            unit: unit.unit.clone(),
            kind: unit.kind,
            usual_ms: self.history.usual_ms(&unit.unit, unit.kind),
        });
        Event::Planned {
            units: units().count(),
            reused: units().filter(|unit| unit.known).count(),
            pending: pending.collect(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn preparing(tree: &str) -> Vec<Expected> {
    vec![
        Expected::open(format!("fetch/{tree}"), UnitKind::Fetch),
        Expected::open(format!("apply/{tree}"), UnitKind::Apply),
    ]
}

/// Both sides with both sides' selftests; repeats come on top when they are needed.
pub fn all_boots(tree: &str, tip: Revision, label: &str) -> Vec<Expected> {
    let sides = [(Revision::Base, Revision::Base), (tip, tip), (tip, Revision::Base), (Revision::Base, tip)];
    let open = |(kernel, selftests)| Expected::open(boot_unit(tree, kernel, selftests, label), UnitKind::Boot);
    sides.map(open).to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::run::{placement, testing::machine, testing::options};
    use crate::words::{Kind, testing};

    /// The kconfigs of kind boot, each on the one machine.
    fn placed(kconfigs: &[Kconfig]) -> Placements {
        placement::plan(kconfigs, &options(), &[machine()], &BTreeMap::new())
    }

    fn said(work: impl FnOnce(&Plan)) -> Vec<(usize, usize, Vec<String>)> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let plan = Plan::new(
            History::default(),
            Arc::new(move |event| {
                if let Event::Planned { units, reused, pending } = event {
                    let names = pending.into_iter().map(|pending| pending.unit).collect();
                    sink.lock().unwrap().push((units, reused, names));
                }
            }),
        );
        work(&plan);
        drop(plan);
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    }

    #[test]
    fn a_plan_begins_as_a_guess_and_names_units_once_results_were_looked_up() {
        let boot = testing::kconfig("hmm", Kind::Boot);
        let link = testing::kconfig("no-hmm", Kind::Link);
        let said = said(|plan| {
            let kconfigs = [boot, link];
            plan.guess("t", 1, &kconfigs, &placed(&kconfigs));
            plan.say();
            plan.say();
            let known = |name: &str| Expected { unit: name.into(), kind: UnitKind::Build, known: true };
            let open = Expected::open("build/t/p1/no-hmm".into(), UnitKind::Build);
            plan.builds("t", vec![known("build/t/base/hmm"), open]);
            plan.boots("t", "hmm", Vec::new());
            plan.say();
        });
        assert_eq!(said.len(), 2, "nothing is said twice");
        assert_eq!(said[0], (2 + 4 + 4, 0, Vec::new()));
        assert_eq!((said[1].0, said[1].1), (4, 1));
        assert_eq!(said[1].2, ["fetch/t", "apply/t", "build/t/p1/no-hmm"]);
    }

    #[test]
    fn a_tree_that_cannot_be_had_leaves_the_plan() {
        let said = said(|plan| {
            for tree in ["one", "two"] {
                plan.guess(tree, 2, &[testing::kconfig("hmm", Kind::Boot)], &Placements::default());
            }
            plan.say();
            plan.give_up("one");
        });
        assert_eq!(said.iter().map(|(units, ..)| *units).collect::<Vec<_>>(), [10, 7]);
    }
}
