//! Timing programs for people: one line of a table for each.

use std::path::Path;

use rjax_ir::{Aval, DType, Program, Scalar, Shape, Tensor};

use crate::args::{Bench, Run, Source};
use crate::{Result, npz, pipeline, read, run, write_output};

/// A program is run for about so long where `--repeat` does not say how often.
const SECONDS: f64 = 1.0;
/// No more often than this.
const MOST: f64 = 10_000.0;

/// Compiles and runs every program, and prints a line as soon as it is measured.
pub fn bench(options: &Bench) -> Result<()> {
    if options.repeat == Some(0) {
        return Err("--repeat: expected at least 1, found 0".to_string());
    }
    if options.trace.is_some() && options.files.len() > 1 {
        return Err(format!("--trace: expected one program, found {}", options.files.len()));
    }
    run::use_threads(options.threads)?;
    let header = ["program", "kernels", "compile ms", "run ms: least", "median", "most", "GFLOP/s", "GB/s"];
    let width = options.files.iter().map(|file| file.len()).max().unwrap_or(0).max(header[0].len());
    let line = |cells: [&str; 8]| {
        let [file, numbers @ ..] = cells;
        let numbers: String = numbers.iter().map(|cell| format!(" {cell:>13}")).collect();
        write_output(None, format!("{file:width$}{numbers}\n").as_bytes())
    };
    line(header)?;
    for file in &options.files {
        let measured =
            measure(file, options).map_err(|e| if e.starts_with(file) { e } else { format!("{file}: {e}") })?;
        let rate = |amount: u64| format!("{:.1}", amount as f64 / measured.median / 1e6);
        let ms = |ms: f64| format!("{ms:.3}");
        let numbers = [
            measured.kernels.to_string(),
            ms(measured.compile_ms),
            ms(measured.least),
            ms(measured.median),
            ms(measured.most),
            rate(measured.flops),
            rate(measured.bytes),
        ];
        let [kernels, compile, least, median, most, flops, bytes] = &numbers;
        line([file, kernels, compile, least, median, most, flops, bytes])?;
    }
    Ok(())
}

/// Times in milliseconds, and the work of the simplified program.
struct Measured {
    kernels: usize,
    compile_ms: f64,
    least: f64,
    median: f64,
    most: f64,
    flops: u64,
    bytes: u64,
}

fn measure(file: &str, options: &Bench) -> Result<Measured> {
    let source = Source {
        file: Some(file.to_string()),
        transforms: options.transforms.clone(),
        no_simplify: options.no_simplify,
        verify: false,
        print_after: vec![],
        batch_size: 2,
    };
    let beside = Path::new(file).with_extension("npz");
    let beside = beside.to_str().filter(|path| *path != file && Path::new(path).exists());
    let stored = beside.map_or(Ok(vec![]), npz::read)?;
    let shapes: Vec<Shape> = stored.iter().map(|array| array.shape().clone()).collect();
    let lanes = options.transforms.lanes(&shapes, source.batch_size)?;
    let named = read::named(file)?;
    let stored = run::used_inputs(stored, &named, &options.transforms)?;
    let program = read::transformed(&source, named.program, &lanes)?;
    let inputs = match beside {
        Some(path) => run::check_inputs(&program, stored, Some(path))?,
        None => made_up(&program),
    };
    let mut timing = Run {
        source,
        inputs: None,
        outputs: None,
        device: "cpu".to_string(),
        repeat: 1,
        warmup: 1,
        threads: None,
        donate: vec![],
        json: false,
        trace: options.trace.clone(),
    };
    let (_, once) = run::compiled(&program, &inputs, &timing)?;
    let often = (SECONDS * 1e3 / once.run_ms[0].max(1e-6)).clamp(3.0, MOST);
    timing.repeat = options.repeat.unwrap_or(often as usize);
    let (_, report) = run::compiled(&program, &inputs, &timing)?;
    run::trace(&program, &inputs, &timing)?;
    let mut times = report.run_ms;
    times.sort_by(f64::total_cmp);
    let (_, simplified) = pipeline::simplified(&timing.source, &program)?;
    Ok(Measured {
        kernels: report.kernels,
        compile_ms: report.compile_ms.min(once.compile_ms),
        least: times[0],
        median: times[times.len() / 2],
        most: times[times.len() - 1],
        flops: simplified.after.flops,
        bytes: simplified.after.bytes,
    })
}

/// Inputs for a program that comes without: numbers between -1 and 1 from a fixed sequence, integers from 0 to 7.
fn made_up(program: &Program) -> Vec<Tensor> {
    let mut state = 1u64;
    let mut uniform = move || {
        // A linear congruential generator modulo 2^64 (Knuth, MMIX); its upper bits are good enough here.
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let tensor = |aval: &Aval| {
        let mut scalar = |dtype: DType| match dtype.is_inexact() {
            true => Scalar::from_f64(dtype, 2.0 * uniform() - 1.0),
            false => Scalar::from_i64(dtype, (8.0 * uniform()) as i64 % if dtype == DType::Bool { 2 } else { 8 }),
        };
        let values: Vec<u8> = (0..aval.shape.size()).flat_map(|_| scalar(aval.dtype).to_tensor().to_bytes()).collect();
        Tensor::from_bytes(aval, &values)
    };
    program.in_avals().iter().map(tensor).collect()
}
