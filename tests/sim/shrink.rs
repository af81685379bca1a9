//! Making a failing plan small: faults and clients are left out one by one, lives and steps
//! are cut, as long as it fails.

use crate::plan::{Fault, Plan};
use crate::run;

/// Runs that shrinking may take.
const TRIES_MAX: usize = 60;

/// The command that shows the failure again, with as little as is needed for it.
pub fn shrink(plan: Plan, failure: &str) -> String {
    let mut smallest = plan;
    let mut tries = 0;
    let mut fails = |plan: &Plan| {
        tries += 1;
        tries <= TRIES_MAX
            && run::run(plan)
                .failure
                .is_some_and(|other| kind_of(&other) == kind_of(failure))
    };
    for fault in Fault::ALL {
        if smallest.has(*fault) && *fault != Fault::Kill {
            let smaller = smallest.without(*fault);
            if fails(&smaller) {
                smallest = smaller;
            }
        }
    }
    for name in NUMBERS {
        while let Some(smaller) = lessened(&smallest, name) {
            if !fails(&smaller) {
                break;
            }
            smallest = smaller;
        }
    }
    command(&smallest)
}

/// Failures of one kind differ in numbers only.
fn kind_of(failure: &str) -> String {
    let letters = failure
        .chars()
        .filter(|c| c.is_alphabetic() && !c.is_ascii_hexdigit());
    letters.take(40).collect()
}

const NUMBERS: &[&str] = &[
    "LIVES",
    "PRODUCERS",
    "CONSUMERS",
    "ADMINS",
    "STEPS",
    "SHARDS",
];

fn field<'a>(plan: &'a mut Plan, name: &str) -> &'a mut u64 {
    match name {
        "LIVES" => &mut plan.lives,
        "PRODUCERS" => &mut plan.producers,
        "CONSUMERS" => &mut plan.consumers,
        "ADMINS" => &mut plan.admins,
        "STEPS" => &mut plan.life_steps,
        _ => &mut plan.shards_max,
    }
}

fn least(name: &str) -> u64 {
    match name {
        "CONSUMERS" | "LIVES" | "PRODUCERS" => 0,
        _ => 1,
    }
}

fn lessened(plan: &Plan, name: &str) -> Option<Plan> {
    let mut plan = plan.clone();
    let number = field(&mut plan, name);
    if *number <= least(name) {
        return None;
    }
    *number = if *number > 8 {
        *number * 3 / 4
    } else {
        *number - 1
    };
    Some(plan)
}

fn command(plan: &Plan) -> String {
    let whole = Plan::of(plan.seed);
    let mut words = vec![format!("CORELANE_SIM_SEED={}", plan.seed)];
    let missing: Vec<&str> = whole
        .faults()
        .iter()
        .filter(|fault| !plan.has(**fault))
        .map(|fault| fault.word())
        .collect();
    if !missing.is_empty() {
        words.push(format!("CORELANE_SIM_WITHOUT={}", missing.join(",")));
    }
    for name in NUMBERS {
        let (mut a, mut b) = (whole.clone(), plan.clone());
        let number = *field(&mut b, name);
        if *field(&mut a, name) != number {
            words.push(format!("CORELANE_SIM_{name}={number}"));
        }
    }
    format!(
        "{} cargo test --test sim -- replay --nocapture",
        words.join(" ")
    )
}

/// The plan of a seed, less what the environment takes out.
pub fn from_environment(seed: u64) -> Plan {
    let mut plan = Plan::of(seed);
    let without = std::env::var("CORELANE_SIM_WITHOUT").unwrap_or_default();
    for fault in Fault::ALL {
        if without.split(',').any(|word| word == fault.word()) {
            plan = plan.without(*fault);
        }
    }
    for name in NUMBERS {
        if let Some(number) = crate::number(&format!("CORELANE_SIM_{name}")) {
            *field(&mut plan, name) = number;
        }
    }
    plan
}
