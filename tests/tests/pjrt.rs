//! Exported programs compute on a PJRT plugin what the interpreter computes, over the table of samples.
//!
//! `RJAX_PJRT_PLUGIN` names the plugin; `RJAX_PJRT_SAMPLES` how many samples to take, evenly spread (default: all). With
//! `RJAX_LIBTPU` naming libtpu.so the same samples are compiled for TPUs (`RJAX_TPU_TOPOLOGY`, default `v5e:1x1`).
//! `tests/consumers.sh` installs both and runs this.

use rjax_ir::{Linalg, Op, Program, Tensor, eval};
use rjax_runtime::pjrt::{Client, Plugin, Topology};
use rjax_stablehlo::bytecode::{self, Version};
use rjax_stablehlo::export;
use rjax_tests::compare::same;
use rjax_tests::random::Values;
use rjax_tests::samples::{self, Sample};

/// How far XLA's own functions and orders of summation may be off, in units of the last place of the greatest element.
const ULPS: f64 = 256.0;

fn is_exported(program: &Program) -> bool {
    program.eqns.iter().all(|eqn| {
        let op = &eqn.op;
        let refused = matches!(op, Op::DebugPrint(_) | Op::CustomLinear(_));
        let exported = |linalg: &Linalg| matches!(linalg, Linalg::Cholesky | Linalg::TriangularSolve { .. });
        let unexported = matches!(op, Op::Linalg(linalg) if !exported(linalg));
        !refused && !unexported && op.subprograms().iter().all(|program| is_exported(program))
    })
}

fn chosen() -> Vec<Sample> {
    // Infinities, NaN and subnormal numbers are XLA's own: it flushes, reorders and simplifies as it likes.
    let ordinary = |sample: &Sample| !sample.inputs.iter().any(|input| matches!(input.values, Values::Special));
    let exported = |sample: &Sample| sample.evaluates() && is_exported(&sample.program) && ordinary(sample);
    let all: Vec<Sample> = samples::all().into_iter().filter(exported).collect();
    let count = std::env::var("RJAX_PJRT_SAMPLES").ok().and_then(|n| n.parse().ok()).unwrap_or(all.len());
    let (total, count) = (all.len(), count.clamp(1, all.len()));
    all.into_iter().enumerate().filter(|(i, _)| i * count / total != (i + 1) * count / total).map(|(_, s)| s).collect()
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
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            same(found, expected, sample.ulps.max(ULPS)).map_err(|e| format!("output {i}: {e}"))?;
        }
        Ok(())
    };
    report(run);
}

#[test]
fn samples_compile_for_tpu() {
    let Some(path) = std::env::var_os("RJAX_LIBTPU") else {
        println!("skipped: RJAX_LIBTPU names no libtpu.so");
        return;
    };
    let plugin = Plugin::load(path).expect("libtpu loads");
    let name = std::env::var("RJAX_TPU_TOPOLOGY").unwrap_or("v5e:1x1".to_string());
    let topology = Topology::new(plugin, &name).expect("the topology is known");
    println!("{plugin:?}, StableHLO {:?}, {name}", plugin.stablehlo_version());
    let version = version(plugin);
    report(|sample| {
        let compiled = topology.compile(&artifact(&sample.program, version)?, 1).map_err(|e| e.to_string())?;
        compiled.memory_stats().map(drop).map_err(|e| e.to_string())
    });
}

/// Runs a check over the chosen samples, prints the count, and fails with the first failures.
fn report(check: impl Fn(&Sample) -> Result<(), String>) {
    let chosen = chosen();
    // A plugin that gives up takes this process with it, and then the last name is the one to look at.
    let trace = std::env::var_os("RJAX_PJRT_TRACE").is_some();
    let failed: Vec<String> = chosen
        .iter()
        .inspect(|sample| {
            if trace {
                eprintln!("{}", sample.name);
            }
        })
        .filter_map(|sample| check(sample).err().map(|e| format!("{}\n    {}", sample.name, e.replace('\n', "\n    "))))
        .collect();
    println!("{} of {} samples passed", chosen.len() - failed.len(), chosen.len());
    let limit: usize = std::env::var("RJAX_PJRT_SHOW").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let shown: Vec<String> = failed.iter().take(limit).map(|f| f.chars().take(600).collect()).collect();
    assert!(failed.is_empty(), "{} failed, among them:\n{}", failed.len(), shown.join("\n"));
}
