//! Running one check over many cases: every case is tried, and the failing ones are reported together.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many failing cases are shown.
const SHOWN: usize = 25;

/// Runs a check on every case and panics with the failing ones: those that return an error, and those that panic.
pub fn check_all<T>(cases: impl IntoIterator<Item = T>, name: impl Fn(&T) -> String, check: impl Fn(&T) -> Outcome) {
    let (mut count, mut failures) = (0, Vec::new());
    for case in cases {
        count += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&case)));
        let message = match outcome {
            Ok(Ok(())) => continue,
            Ok(Err(message)) => message,
            Err(panic) => format!("panic: {}", panic_message(&*panic)),
        };
        failures.push(format!("{}\n    {}", name(&case), message.replace('\n', "\n    ")));
    }
    assert!(count > 0, "there was nothing to check");
    let shown = failures.len().min(SHOWN);
    assert!(
        failures.is_empty(),
        "{} of {count} cases failed, among them:\n{}",
        failures.len(),
        failures[..shown].join("\n")
    );
}

/// What a check says: nothing, or what is wrong.
pub type Outcome = Result<(), String>;

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}
