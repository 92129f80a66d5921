//! Exported programs compute on a PJRT plugin what the interpreter computes, and compile for TPUs.
//!
//! `tests/consumers.sh` installs the plugins and runs this. Where it names none, the tests say that they skipped.
//!
//! | variable | what it names |
//! | --- | --- |
//! | `RJAX_PJRT_PLUGIN` | the plugin that runs the table of samples |
//! | `RJAX_LIBTPU` | libtpu.so, which compiles artifacts |
//! | `RJAX_TPU_ARTIFACTS` | the folder of artifacts, as the test `stablehlo` leaves them |
//! | `RJAX_TPU_TOPOLOGY` | for which TPUs; `v5e:1x1` if it is not there |
//! | `RJAX_PJRT_SAMPLES` | how many samples or artifacts to take, evenly spread; all if it is not there |
//! | `RJAX_PJRT_SHOW` | how many failures to print |

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rjax_codegen_tpu::export;
use rjax_ir::{Linalg, Op, Program, Tensor, eval};
use rjax_runtime::pjrt::{Client, Plugin};
use rjax_stablehlo::bytecode::{self, Version};
use rjax_tests::compare::{same, same_where_ordinary};
use rjax_tests::exported::{agree, distance, is_exported};
use rjax_tests::random::Values;
use rjax_tests::samples::{self, Sample};

/// How far XLA's own functions and orders of summation may be off, in units of the last place of the greatest element.
const ULPS: f64 = 256.0;

/// How long a compiler may take for one artifact.
const LIMIT: Duration = Duration::from_secs(60);

/// Some of them, evenly spread, as many as the environment says.
fn spread<T>(all: Vec<T>) -> Vec<T> {
    let count = std::env::var("RJAX_PJRT_SAMPLES").ok().and_then(|n| n.parse().ok()).unwrap_or(all.len());
    let (total, count) = (all.len(), count.clamp(1, all.len().max(1)));
    all.into_iter().enumerate().filter(|(i, _)| i * count / total != (i + 1) * count / total).map(|(_, x)| x).collect()
}

fn artifact(program: &Program, version: Version) -> Result<Vec<u8>, String> {
    let module = export(program, &Default::default()).map_err(|e| e.to_string())?;
    bytecode::write(&module, version).map_err(|e| e.to_string())
}

/// The newest version that both sides know.
fn version(plugin: Plugin) -> Version {
    let newest = plugin.stablehlo_version().map(|(a, b, c)| Version(a, b, c)).unwrap_or(Version::DEFAULT);
    newest.clamp(Version::OLDEST, Version::NEWEST)
}

/// Infinities, NaN and subnormal numbers are XLA's own: it flushes, reorders and simplifies as it likes. Where those are inputs
/// only the elements are compared that are ordinary numbers on both sides, and not the places in an order of such numbers. Where
/// a complex factorisation fails, one part that is NaN makes a number NaN.
fn compare(sample: &Sample, inputs: &[Tensor], found: &[Tensor], expected: &[Tensor]) -> Result<(), String> {
    let has = |is: fn(&Op) -> bool| sample.program.eqns.iter().any(|eqn| is(&eqn.op));
    let special = sample.inputs.iter().any(|input| matches!(input.values, Values::Special));
    let orders = has(|op| matches!(op, Op::Sort(_) | Op::TopK { .. } | Op::ArgReduce(_)));
    let may_fail = has(|op| matches!(op, Op::Linalg(Linalg::Cholesky)));
    let ulps = distance(&sample.program, sample.ulps).max(ULPS);
    if let Some(outcome) = agree(&sample.program, inputs, found, expected) {
        return outcome;
    }
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        if special && orders && !found.dtype().is_inexact() {
            continue;
        }
        let ordinary = special || may_fail && found.dtype().is_complex();
        let outcome = if ordinary { same_where_ordinary(found, expected, ulps) } else { same(found, expected, ulps) };
        outcome.map_err(|e| format!("output {i}: {e}"))?;
    }
    Ok(())
}

#[test]
fn samples_run_on_the_plugin() {
    let Some(path) = std::env::var_os("RJAX_PJRT_PLUGIN") else {
        println!("skipped: RJAX_PJRT_PLUGIN names no plugin");
        return;
    };
    let plugin = Plugin::load(path).expect("the plugin loads");
    let client = Client::new(plugin).expect("the plugin has a device");
    println!("{plugin:?}, StableHLO {:?}, {}", plugin.stablehlo_version(), client.platform().expect("it has a name"));
    let version = version(plugin);
    let run = |sample: &Sample| -> Result<(), String> {
        let inputs: Vec<Tensor> = sample.tensors(3);
        let expected = eval(&sample.program, &inputs).map_err(|e| e.to_string())?;
        let executable = client.compile(&artifact(&sample.program, version)?, 1).map_err(|e| e.to_string())?;
        let found = executable.call(&inputs).map_err(|e| e.to_string())?;
        compare(sample, &inputs, &found, &expected)
    };
    let samples = spread(samples::all().into_iter().filter(|s| s.evaluates() && is_exported(&s.program)).collect());
    // A plugin that gives up takes this process with it, and then the last name is the one to look at.
    let trace = std::env::var_os("RJAX_PJRT_TRACE").is_some();
    let outcomes = samples.iter().map(|sample| {
        if trace {
            eprintln!("{}", sample.name);
        }
        (sample.name.clone(), run(sample))
    });
    report(outcomes.collect(), beyond_xla);
}

/// Why XLA's compiler for CPUs cannot be expected to compute the same.
fn beyond_xla(name: &str, _: &str) -> Option<&'static str> {
    if name.starts_with("atan2 c") && name.contains("special") {
        Some("a complex arctangent on its branch cut, where the sign of a zero decides")
    } else if name.starts_with("convert_element_type") && name.ends_with("(special, to bool)") {
        Some("special numbers as truth values, of which XLA takes the least for zero")
    } else {
        None
    }
}

/// An executable that was written down computes the same when it is read again.
#[test]
fn executables_load_again() {
    let Some(path) = std::env::var_os("RJAX_PJRT_PLUGIN") else {
        println!("skipped: RJAX_PJRT_PLUGIN names no plugin");
        return;
    };
    let plugin = Plugin::load(path).expect("the plugin loads");
    let client = Client::new(plugin).expect("the plugin has a device");
    let program =
        Program::parse("{ lambda ; a:f32[3]. let b:f32[3] = mul a a; c:f32[3] = sin b in (b, c) }", "squares");
    let code = artifact(&program.expect("it parses"), version(plugin)).expect("it is exported");
    let executable = client.compile(&code, 1).expect("it compiles");
    let x = [Tensor::from_vec([3], vec![1.0f32, -2.0, 0.5])];
    let expected = executable.call(&x).expect("it runs");
    let bytes = executable.serialized().expect("it can be written down");
    drop(executable);
    let again = client.load(&bytes).expect("it can be read");
    let found = again.call(&x).expect("it runs");
    assert!(found.iter().zip(&expected).all(|(f, e)| f.bits_equal(e)), "{found:?} is not {expected:?}");
    assert!(client.load(&bytes[..bytes.len() / 2]).is_err());
}

#[test]
fn artifacts_compile_for_tpu() {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(libtpu), Some(folder)) = (variable("RJAX_LIBTPU"), variable("RJAX_TPU_ARTIFACTS")) else {
        println!("skipped: RJAX_LIBTPU and RJAX_TPU_ARTIFACTS do not name libtpu.so and a folder of artifacts");
        return;
    };
    let topology = std::env::var("RJAX_TPU_TOPOLOGY").unwrap_or("v5e:1x1".to_string());
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "mlirbc"));
    paths.sort();
    // Samples that differ in their values only are one program.
    let (total, mut seen) = (paths.len(), HashSet::new());
    paths.retain(|path| seen.insert(std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))));
    println!("{total} artifacts are {} programs", paths.len());
    let paths = spread(paths);
    println!("{} programs for {topology}", paths.len());
    let waiting: Mutex<VecDeque<PathBuf>> = Mutex::new(paths.into());
    let jobs = std::thread::available_parallelism().map_or(1, |n| n.get()).min(4);
    let work = || {
        let (mut compiler, mut outcomes) = (None, vec![]);
        loop {
            let next = waiting.lock().expect("no worker panics with the lock").pop_front();
            let Some(path) = next else { return outcomes };
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let running = compiler.take().unwrap_or_else(|| Compiler::start(&libtpu, &topology));
            let (outcome, still_running) = running.compile(&path);
            compiler = still_running;
            outcomes.push((name, outcome));
        }
    };
    let mut outcomes: Vec<(String, Result<(), String>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("workers report what fails")).collect()
    });
    outcomes.sort_by(|(a, _), (b, _)| a.cmp(b));
    report(outcomes, beyond_libtpu);
}

/// Why libtpu cannot be expected to compile a program.
fn beyond_libtpu(name: &str, message: &str) -> Option<&'static str> {
    const SLOW: [&str; 11] = [
        "div_i64",
        "div_u64",
        "igamma",
        "module_igamma",
        "module_regularized_incomplete_beta",
        "polygamma",
        "random_gamma",
        "regularized_incomplete_beta",
        "rem_i64",
        "rem_u64",
        "zeta",
    ];
    let has_two_bits = name.split('_').any(|word| matches!(word, "i2" | "u2"));
    let aborts = message.starts_with("the compiler ended without an answer");
    if message.contains("not contain X{64|128}") || message.contains("Unexpected operand type for FFT") {
        Some("operations on 64-bit elements that TPUs do not have")
    } else if message.starts_with("no answer in") && SLOW.iter().any(|slow| name.starts_with(slow)) {
        Some("series and continued fractions in `f64`, and division of 64-bit integers, for which libtpu takes long")
    } else if has_two_bits && (aborts || message.contains("INT2 is not supported")) {
        Some("integers of 2 bits, some of which libtpu refuses and some of which abort it")
    } else if message.contains("one of the two minor-most dimensions") || message.contains("less than 2 inactive dims")
    {
        Some("select-and-scatter along the two minor-most axes")
    } else {
        None
    }
}

/// A process that compiles.
struct Compiler {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Compiler {
    fn start(plugin: &Path, topology: &str) -> Compiler {
        // The devices need not be here, so libtpu neither asks the cloud where it is nor claims them.
        let mut child = Command::new(env!("CARGO_BIN_EXE_compile-ahead"))
            .args([plugin.as_os_str(), topology.as_ref()])
            .env("TPU_SKIP_MDS_QUERY", "1")
            .env("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
            .env("TPU_LOG_DIR", "disabled")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("cargo has built it");
        let (input, output) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let is_answer = |line: &String| line == "ok" || line.starts_with("error ");
            // Nobody listens any more once the process is given up.
            lines.filter(is_answer).for_each(|line| drop(sender.send(line)));
        });
        Compiler { child, input, answers }
    }

    /// The outcome, and the process if it can go on.
    fn compile(mut self, path: &Path) -> (Result<(), String>, Option<Compiler>) {
        if let Err(e) = writeln!(self.input, "{}", path.display()) {
            return (Err(format!("the compiler does not listen: {e}")), None);
        }
        match self.answers.recv_timeout(LIMIT) {
            Ok(answer) => match answer.strip_prefix("error ") {
                None => (Ok(()), Some(self)),
                Some(message) => (Err(message.to_string()), Some(self)),
            },
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => (Err(format!("no answer in {LIMIT:?}")), None),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map_or("it is lost".to_string(), |status| status.to_string());
                (Err(format!("the compiler ended without an answer ({status})")), None)
            }
        }
    }
}

/// Prints the counts and what was expected to fail, and fails where anything else did.
fn report(outcomes: Vec<(String, Result<(), String>)>, expected: impl Fn(&str, &str) -> Option<&'static str>) {
    let total = outcomes.len();
    let failures = outcomes.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?)));
    let (mut unexpected, mut listed): (Vec<String>, BTreeMap<&str, Vec<String>>) = Default::default();
    for (name, message) in failures {
        match expected(&name, &message) {
            Some(reason) => listed.entry(reason).or_default().push(name),
            None => unexpected.push(format!("{name}\n    {}", message.replace('\n', "\n    "))),
        }
    }
    let exceptions: usize = listed.values().map(Vec::len).sum();
    println!("{} of {total} passed, {exceptions} could not be expected to", total - exceptions - unexpected.len());
    for (reason, names) in &listed {
        println!("{reason}: {}\n    {}", names.len(), names.join("\n    "));
    }
    let limit: usize = std::env::var("RJAX_PJRT_SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let shown: Vec<String> = unexpected.iter().take(limit).map(|f| f.chars().take(600).collect()).collect();
    assert!(unexpected.is_empty(), "{} failed, among them:\n{}", unexpected.len(), shown.join("\n"));
}
