//! Conformance cases, many in one process.
//!
//! A folder with a `manifest.jsonl` holds JAX's own cases: a module, inputs, and what JAX computed for outputs and
//! derivatives. Any other StableHLO file is its own case and decides with its `check.expect_…` operations. Cases are spread
//! over threads; a case that panics or gives no answer in time is a failed case and nothing more.

mod case;
mod compare;
mod harness;
mod json;
mod selfcheck;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Check;
use crate::{Result, write_output};
use case::Case;

/// Deep programs recurse deeply; the memory is taken only where it is used.
const STACK_BYTES: usize = 256 << 20;

/// What a case is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub enum Kind {
    /// The outputs.
    Run,
    /// The cotangents of the inputs, by `--vjp`.
    Vjp,
    /// The tangents of the outputs, by `--jvp`.
    Jvp,
    /// Three copies through `--vmap`.
    Vmap,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Vjp => "vjp",
            Kind::Jvp => "jvp",
            Kind::Vmap => "vmap",
        }
    }
}

/// The outcome of one question.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl From<Result<()>> for Outcome {
    fn from(result: Result<()>) -> Outcome {
        match result {
            Ok(()) => Outcome::Passed,
            Err(reason) => Outcome::Failed(reason),
        }
    }
}

struct Verdict {
    name: String,
    kind: Kind,
    outcome: Outcome,
    seconds: f64,
}

/// Runs the cases and prints what failed; status 0 if nothing did.
pub fn check(options: &Check) -> Result<ExitCode> {
    let device = case::Target::parse(&options.device, options.jobs)?;
    let cases = case::find(&options.paths, &options.filter, &options.kind)?;
    let start = Instant::now();
    let verdicts = run_all(cases, Arc::new(device), options);
    let mut text = String::new();
    let count = |is: fn(&Outcome) -> bool| verdicts.iter().filter(|v| is(&v.outcome)).count();
    for verdict in &verdicts {
        let (name, kind) = (&verdict.name, verdict.kind.name());
        match &verdict.outcome {
            Outcome::Passed => {}
            Outcome::Failed(reason) => writeln!(text, "{kind} {name}: {}", one_line(reason)).expect("a string grows"),
            Outcome::Skipped(reason) => {
                writeln!(text, "{kind} {name}: skipped: {}", one_line(reason)).expect("a string grows")
            }
        }
    }
    for kind in [Kind::Run, Kind::Vjp, Kind::Jvp, Kind::Vmap] {
        let of_kind = || verdicts.iter().filter(move |v| v.kind == kind);
        let asked = of_kind().filter(|v| !matches!(v.outcome, Outcome::Skipped(_))).count();
        let passed = of_kind().filter(|v| matches!(v.outcome, Outcome::Passed)).count();
        if asked > 0 {
            writeln!(text, "{}: {passed} of {asked}", kind.name()).expect("a string grows");
        }
    }
    let passed = count(|o| matches!(o, Outcome::Passed));
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    let skipped = count(|o| matches!(o, Outcome::Skipped(_)));
    writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped").expect("a string grows");
    write_output(None, text.as_bytes())?;
    if let Some(path) = &options.report {
        let totals = [("passed", passed), ("failed", failed), ("skipped", skipped)];
        write_output(Some(path), report(options, &verdicts, &totals, start.elapsed()).as_bytes())?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one_line(reason: &str) -> String {
    reason.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn report(options: &Check, verdicts: &[Verdict], totals: &[(&str, usize)], elapsed: Duration) -> String {
    let mut text = format!("{{\"device\":{}", json::quoted(&options.device));
    for (name, count) in totals {
        write!(text, ",\"{name}\":{count}").expect("a string grows");
    }
    write!(text, ",\"seconds\":{:.3},\"cases\":[", elapsed.as_secs_f64()).expect("a string grows");
    for (i, verdict) in verdicts.iter().enumerate() {
        let (status, reason) = match &verdict.outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Failed(reason) => ("failed", Some(reason)),
            Outcome::Skipped(reason) => ("skipped", Some(reason)),
        };
        let separator = if i > 0 { "," } else { "" };
        let (name, kind) = (json::quoted(&verdict.name), verdict.kind.name());
        write!(text, "{separator}\n{{\"name\":{name},\"kind\":\"{kind}\",\"status\":\"{status}\"")
            .expect("a string grows");
        if let Some(reason) = reason {
            write!(text, ",\"reason\":{}", json::quoted(reason)).expect("a string grows");
        }
        write!(text, ",\"seconds\":{:.4}}}", verdict.seconds).expect("a string grows");
    }
    text.push_str("\n]}\n");
    text
}

/// What workers tell.
enum Message {
    Started(usize, Instant),
    Finished(usize, Vec<Verdict>),
}

/// The cases and what they run on, as all workers see them.
struct Shared {
    cases: Vec<Case>,
    waiting: Mutex<VecDeque<usize>>,
    device: Arc<case::Target>,
}

/// All verdicts, in the order of the cases.
fn run_all(cases: Vec<Case>, device: Arc<case::Target>, options: &Check) -> Vec<Verdict> {
    let jobs = options.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, |n| n.get())).max(1);
    let count = cases.len();
    let shared = Arc::new(Shared { waiting: Mutex::new((0..count).collect()), cases, device });
    // A panic is a verdict; what it would print says the same once more.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..jobs.min(count) {
        work(shared.clone(), sender.clone());
    }
    let mut results: Vec<Option<Vec<Verdict>>> = (0..count).map(|_| None).collect();
    let mut started: Vec<Option<Instant>> = vec![None; count];
    let limit = Duration::from_secs_f64(options.timeout.clamp(0.001, 1e9));
    let mut missing = count;
    while missing > 0 {
        match receiver.recv_timeout(Duration::from_millis(500)) {
            Ok(Message::Started(index, at)) => started[index] = Some(at),
            Ok(Message::Finished(index, verdicts)) => {
                if results[index].is_none() {
                    missing -= 1;
                    results[index] = Some(verdicts);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        for index in 0..count {
            let late = started[index].is_some_and(|at| at.elapsed() > limit);
            if late && results[index].is_none() {
                // The thread cannot be stopped; it is left behind, and another takes its place.
                missing -= 1;
                let reason = format!("no answer in {} s", options.timeout);
                results[index] = Some(shared.cases[index].all(|| Outcome::Failed(reason.clone())));
                work(shared.clone(), sender.clone());
            }
        }
    }
    panic::set_hook(hook);
    results.into_iter().flatten().flatten().collect()
}

fn work(shared: Arc<Shared>, sender: Sender<Message>) {
    let body = move || {
        loop {
            let next = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(index) = next else { return };
            // The receiver is gone only when nobody waits for this case any more.
            let _ = sender.send(Message::Started(index, Instant::now()));
            let case = &shared.cases[index];
            let verdicts = panic::catch_unwind(AssertUnwindSafe(|| case.run(&shared.device)));
            let verdicts = verdicts.unwrap_or_else(|payload| {
                let reason = format!("panicked: {}", panic_message(&*payload));
                case.all(|| Outcome::Failed(reason.clone()))
            });
            let _ = sender.send(Message::Finished(index, verdicts));
        }
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(body).expect("a thread can be started");
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&str>() {
        return message.to_string();
    }
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "without a message".to_string())
}
