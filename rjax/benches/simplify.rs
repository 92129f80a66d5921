//! What simplification finds, what it is worth, and how long it takes.
//!
//! `cargo bench -p rjax --bench simplify [-- FOLDER]`
//!
//! Prints four tables: times to simplify programs of up to 30,000 equations, and the memory that took; programs with a cheaper equal
//! (and two that are best as they are) with their flops before and after and their run times without and with simplification; and a
//! training step of a transformer, likewise. The programs are JAX's, as `jax.export` wrote them. With a folder it prints instead, for
//! each program there (`*.mlirbc`), the times of a run and of compiling it without and with simplification. A number beyond its limit
//! ends the bench with an error.

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rjax::import::Model;
use rjax::prelude::*;
use rjax::{Aval, Program, Tier};
use rjax_ir::{Builder, Unary};
use rjax_rewrite::{Options, cost, simplify};
use rjax_stablehlo::{bytecode, import};

/// A program with a cheaper equal.
struct Algebra {
    name: &'static str,
    what: &'static str,
    module: &'static [u8],
    /// The flops of that.
    flops: u64,
}

macro_rules! algebra {
    ($($name:literal $what:literal $flops:literal;)*) => {
        &[$(Algebra {
            name: $name,
            what: $what,
            module: include_bytes!(concat!("modules/alg_", $name, ".mlirbc")),
            flops: $flops,
        }),*]
    };
}

const ALGEBRA: &[Algebra] = algebra! {
    "chain_vec" "(A B) v" 4_194_304;
    "chain4" "A B C D, wide and narrow in turn" 34_603_008;
    "sum_dot" "sum(A B)" 2_099_200;
    "factor2" "A B + A C + D B + D C" 2_149_580_800;
    "share_lhs" "x V + x W" 1_074_790_400;
    "lora" "x (W + B A)" 68_173_824;
    "hessian_quad" "the Hessian of x · A x" 262_144;
    "linear_attention" "(Q Kᵀ) V" 67_108_864;
    "kron" "kron(A, B) x" 1_048_576;
    "diag" "diag(d) A" 1_048_576;
    "slice_dot" "(A B)[:, :8]" 16_777_216;
    "control_atav" "Aᵀ (A v) for many v, best as it is" 536_870_912;
    "control_qkv" "x U, x V, x W, best as they are" 402_653_184;
};

const TRANSFORMER_STEP: &[u8] = include_bytes!("modules/transformer_step.mlirbc");
const TRANSFORMER_12: &[u8] = include_bytes!("modules/transformer_12.mlirbc");

/// Equations at most, milliseconds at most: about 10,000 equations and 30,000.
const TIME_LIMITS: [(usize, f64); 2] = [(11_000, 150.0), (33_000, 600.0)];
const MEMORY_LIMIT: u64 = 500;

/// How much longer a run with simplification may take than one without, as measured.
const NOISE: f64 = 1.05;

fn main() -> ExitCode {
    let mut failures = vec![];
    // Cargo says `--bench`.
    match std::env::args().skip(1).find(|argument| !argument.starts_with("--")) {
        Some(folder) => folder_of_programs(Path::new(&folder), &mut failures),
        None => {
            simplification(&mut failures);
            algebra(&mut failures);
            transformers(&mut failures);
        }
    }
    failures.iter().for_each(|failure| eprintln!("beyond its limit: {failure}"));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long simplification takes, and how much memory.
fn simplification(failures: &mut Vec<String>) {
    println!("| simplified | equations | ms | µs an equation |");
    println!("| --- | ---: | ---: | ---: |");
    let layers = read(TRANSFORMER_12).dce();
    for copies in [1, 2, 3, 4, 8] {
        let program = side_by_side(&layers, copies);
        timed(&format!("{copies} × transformer_12"), &program, failures);
    }
    for length in [1_000, 10_000, 30_000] {
        timed("a chain of ops that are all different", &chain(length), failures);
    }
    if let Some(megabytes) = peak_memory() {
        println!("\nmost memory in use: {megabytes} MB");
        if megabytes > MEMORY_LIMIT {
            failures.push(format!("{megabytes} MB of memory"));
        }
    }
}

/// Programs with a cheaper equal.
fn algebra(failures: &mut Vec<String>) {
    println!("\n| program | flops as given | simplified | known | ms as given | simplified | ratio |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in ALGEBRA {
        let program = read(row.module);
        let after = cost(&simplified(&program)).flops;
        if after > row.flops + row.flops / 10 {
            failures.push(format!("{}: {after} flops", row.name));
        }
        let [given, simpler] = measured(row.module).run;
        let before = cost(&program).flops;
        let Algebra { what, flops, .. } = row;
        println!("| {what} | {before} | {after} | {flops} | {given:.3} | {simpler:.3} | {:.1} |", given / simpler);
    }
}

fn transformers(failures: &mut Vec<String>) {
    println!(
        "\n| program | kernels as given | simplified | MB moved as given | simplified | ms as given | simplified |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, module) in [("transformer_step", TRANSFORMER_STEP), ("transformer_12", TRANSFORMER_12)] {
        let program = read(module);
        let simpler = simplified(&program);
        let [kernels, fewer] = [&program, &simpler].map(kernels);
        let [bytes, less] = [&program, &simpler].map(|program| cost(program).bytes as f64 / 1e6);
        if fewer >= kernels || less >= bytes {
            failures.push(format!("{name}: {kernels} kernels became {fewer}, {bytes} MB became {less}"));
        }
        let [given, simplified] = measured(module).run;
        println!("| {name} | {kernels} | {fewer} | {bytes:.1} | {less:.1} | {given:.2} | {simplified:.2} |");
    }
}

/// Whether simplification makes any program of a folder slower.
fn folder_of_programs(folder: &Path, failures: &mut Vec<String>) {
    println!("| program | ms as given | simplified | ratio | ms to compile as given | simplified |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mlirbc"))
        .collect();
    files.sort();
    for file in files {
        let name = file.file_stem().expect("it has an extension").to_string_lossy().into_owned();
        let module = std::fs::read(&file).expect("a readable file");
        let mut times = measured(&module);
        // What looks slower is measured again, for a disturbance may have hit one of the two.
        for _ in 0..3 {
            if times.run[1] > NOISE * times.run[0] {
                let again = measured(&module);
                for i in 0..2 {
                    times.run[i] = times.run[i].min(again.run[i]);
                    times.compile[i] = times.compile[i].min(again.compile[i]);
                }
            }
        }
        let Times { run: [given, simpler], compile: [before, after] } = times;
        println!("| {name} | {given:.4} | {simpler:.4} | {:.2} | {before:.1} | {after:.1} |", simpler / given);
        if simpler > NOISE * given {
            failures.push(format!("{name}: {given:.4} ms became {simpler:.4}"));
        }
    }
}

fn read(module: &[u8]) -> Program {
    import(&bytecode::read(module).expect("readable")).expect("importable").program
}

fn simplified(program: &Program) -> Program {
    simplify(program, &Options::default()).expect("simplifies")
}

fn kernels(program: &Program) -> usize {
    rjax_kernel::plan(program, &rjax_kernel::Options::default()).expect("can be planned").launches()
}

/// Milliseconds without and with simplification: the least of many runs, in turn, and what the first run took more, when the program
/// was compiled.
struct Times {
    run: [f64; 2],
    compile: [f64; 2],
}

fn measured(module: &[u8]) -> Times {
    let model = rjax::import::stablehlo(module).expect("importable");
    let inputs: Vec<Array> = model.inputs().iter().enumerate().map(|(i, aval)| input(aval, i)).collect();
    let tiers = [None, Some(Tier::Default)];
    let functions = tiers.map(|tier| {
        let model: &Model = &model;
        jit(move |inputs: &Vec<Array>| model.call(&inputs.iter().collect::<Vec<_>>())).simplify(tier)
    });
    let run = |i: usize| {
        let start = Instant::now();
        black_box(functions[i](&inputs)).iter().for_each(|x| {
            x.block_until_ready();
        });
        start.elapsed().as_secs_f64() * 1e3
    };
    let first = [run(0), run(1)];
    let mut least = [f64::INFINITY; 2];
    let end = Instant::now() + Duration::from_millis(600);
    let mut runs = 0;
    while runs < 5 || Instant::now() < end {
        for (i, least) in least.iter_mut().enumerate() {
            *least = least.min(run(i));
        }
        runs += 1;
    }
    Times { run: least, compile: [first[0] - least[0], first[1] - least[1]] }
}

/// An input of ordinary numbers: small, so that nothing overflows; tokens below 100.
fn input(aval: &Aval, seed: usize) -> Array {
    let values: Vec<f32> = (0..aval.size()).map(|i| ((i * 7919 + seed * 31) % 1009) as f32 / 1009.0 - 0.5).collect();
    let array = jnp::array(values).reshape(&aval.shape[..]);
    match aval.dtype.is_inexact() {
        true => (array * 0.1).astype(aval.dtype),
        false => ((array + 0.5) * 100.0).astype(aval.dtype),
    }
}

/// Several copies of a program, each with its own inputs.
fn side_by_side(program: &Program, copies: usize) -> Program {
    let mut b = Builder::new();
    let mut outputs = vec![];
    for _ in 0..copies {
        let inputs: Vec<_> = program.in_avals().into_iter().map(|aval| b.input(aval)).collect();
        outputs.extend(b.inline(program, &inputs));
    }
    b.finish(outputs)
}

/// A program without repetitions: operands, ops and shapes change in an order of their own.
fn chain(length: usize) -> Program {
    let mut b = Builder::new();
    let shapes: Vec<_> = (0..7).map(|i| Aval::new(DType::F32, [8 + i, 16])).collect();
    let mut values: Vec<Vec<_>> =
        shapes.iter().map(|aval| vec![b.input(aval.clone()), b.input(aval.clone())]).collect();
    for i in 0..length {
        let row = (i * i + i / 3) % 7;
        let count = values[row].len();
        let (x, y) = (values[row][count - 1], values[row][(i * 31) % count]);
        let next = match (i * 7 + i / 11) % 5 {
            0 => b.unary(Unary::Sin, x),
            1 => b.mul(x, y),
            2 => b.add(x, y),
            3 => b.unary(Unary::Tanh, x),
            _ => b.sub(x, y),
        };
        values[row].push(next);
    }
    b.finish(values.into_iter().filter_map(|mut row| row.pop()).collect())
}

fn timed(name: &str, program: &Program, failures: &mut Vec<String>) {
    let equations = program.count_eqns();
    let least = (0..3).map(|_| {
        let start = Instant::now();
        black_box(simplified(program));
        start.elapsed().as_secs_f64() * 1e3
    });
    let ms = least.fold(f64::INFINITY, f64::min);
    println!("| {name} | {equations} | {ms:.1} | {:.1} |", ms * 1e3 / equations as f64);
    if let Some((_, limit)) = TIME_LIMITS.iter().find(|(most, _)| equations <= *most)
        && ms > *limit
    {
        failures.push(format!("{name}: {ms:.0} ms for {equations} equations"));
    }
}

/// The most memory that this process has used, in megabytes, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1000)
}
