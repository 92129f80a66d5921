//! Running a program on arrays from an npz file.

use std::time::Instant;

use rjax_codegen_cpu::{Executable, Input, ResultPlace};
use rjax_ir::{Aval, DType, Interpreter, Program, Shape, Tensor};
use rjax_runtime::{Buffer, Device};

use crate::args::Run;
use crate::{Result, npz, read, write_output};

/// Reads the inputs, runs the program, writes or prints the outputs.
pub fn run(options: &Run) -> Result<()> {
    if options.repeat == 0 {
        return Err("--repeat: expected at least 1, found 0".to_string());
    }
    let device = Device::parse(&options.device).map_err(|e| e.to_string())?;
    let file = options.source.file.as_deref().expect("clap requires FILE");
    let program = read::program(file)?;
    let stored = options.inputs.as_deref().map_or(Ok(vec![]), npz::read)?;
    let shapes: Vec<Shape> = stored.iter().map(|array| array.shape().clone()).collect();
    let lanes = options.source.transforms.lanes(&shapes, options.source.batch_size)?;
    let program = read::transformed(&options.source, program, &lanes)?;
    let inputs = check_inputs(&program, stored, options.inputs.as_deref())?;
    let (outputs, report) = match device {
        Device::Interpreter => interpret(&program, &inputs, options)?,
        Device::Cpu => native(&program, &inputs, options)?,
    };
    if let Some(path) = &options.outputs {
        npz::write(path, &outputs)?;
    }
    if options.json {
        write_output(None, report.json().as_bytes())
    } else if options.outputs.is_none() {
        let lines: String = outputs.iter().enumerate().map(|(i, output)| format!("out{i} = {output}\n")).collect();
        write_output(None, lines.as_bytes())
    } else {
        Ok(())
    }
}

/// The inputs as the program's signature types them.
fn check_inputs(program: &Program, stored: Vec<npz::Stored>, path: Option<&str>) -> Result<Vec<Tensor>> {
    let wanted = program.in_avals();
    if stored.len() != wanted.len() {
        let found = match path {
            Some(path) => format!("{path} has {}", stored.len()),
            None => "no --inputs are given".to_string(),
        };
        let signature: Vec<String> = wanted.iter().map(|aval| aval.to_string()).collect();
        return Err(format!("the program has {} inputs ({}), but {found}", wanted.len(), signature.join(", ")));
    }
    let named = stored.into_iter().zip(&wanted).enumerate();
    named.map(|(index, (array, aval))| array.into_tensor(&format!("in{index}"), aval)).collect()
}

/// What `--json` prints.
struct Report {
    device: Device,
    compile_ms: f64,
    run_ms: Vec<f64>,
    kernels: usize,
    /// `None` where the device does not count.
    peak_bytes: Option<usize>,
    threads: usize,
}

impl Report {
    fn json(&self) -> String {
        let times: Vec<String> = self.run_ms.iter().map(|ms| format!("{ms:.6}")).collect();
        format!(
            "{{\"device\":\"{}\",\"compile_ms\":{:.6},\"run_ms\":[{}],\"kernels\":{},\"peak_bytes\":{},\"threads\":{}}}\n",
            self.device,
            self.compile_ms,
            times.join(","),
            self.kernels,
            self.peak_bytes.map_or("null".to_string(), |bytes| bytes.to_string()),
            self.threads
        )
    }
}

/// Runs on the reference interpreter; what `debug_print` prints goes to standard error.
fn interpret(program: &Program, inputs: &[Tensor], options: &Run) -> Result<(Vec<Tensor>, Report)> {
    let mut print = |line: &str| eprintln!("{line}");
    let mut once = || Interpreter::new(&mut print).eval(program, inputs).map_err(|e| e.to_string());
    for _ in 0..options.warmup {
        once()?;
    }
    let (mut outputs, mut run_ms) = (vec![], vec![]);
    for _ in 0..options.repeat {
        let start = Instant::now();
        outputs = once()?;
        run_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let report =
        Report { device: Device::Interpreter, compile_ms: 0.0, run_ms, kernels: 0, peak_bytes: None, threads: 1 };
    Ok((outputs, report))
}

/// Compiles for this machine's processor and runs: times are from buffers to buffers.
fn native(program: &Program, inputs: &[Tensor], options: &Run) -> Result<(Vec<Tensor>, Report)> {
    if let Some(threads) = options.threads {
        if threads == 0 {
            return Err("--threads: expected at least 1, found 0".to_string());
        }
        rjax_runtime::set_threads(threads);
    }
    let start = Instant::now();
    let code = compile(program, &options.donate).map_err(|e| e.to_string())?;
    let compile_ms = start.elapsed().as_secs_f64() * 1e3;
    let (mut outputs, mut run_ms) = (vec![], vec![]);
    for round in 0..options.warmup + options.repeat {
        // Inputs that are written are new for each round.
        let mut arguments: Vec<Buffer> = inputs.iter().map(Buffer::from_tensor).collect();
        let fresh = |(place, aval): (&ResultPlace, &Aval)| match place {
            ResultPlace::Output => Buffer::new(aval.clone()),
            ResultPlace::Input(_) => Buffer::new(Aval::new(aval.dtype, [0])),
        };
        let mut results: Vec<Buffer> = code.results().iter().zip(code.outputs()).map(fresh).collect();
        let mut passed: Vec<Input> = arguments
            .iter_mut()
            .enumerate()
            .map(|(i, buffer)| {
                if code.writes_input(i) {
                    Input::Donated(buffer.as_bytes_mut())
                } else {
                    Input::Shared(buffer.as_bytes())
                }
            })
            .collect();
        let mut slices: Vec<&mut [u8]> = results.iter_mut().map(Buffer::as_bytes_mut).collect();
        let start = Instant::now();
        code.run(&mut passed, &mut slices).map_err(|e| e.to_string())?;
        let elapsed = start.elapsed();
        if round >= options.warmup {
            run_ms.push(elapsed.as_secs_f64() * 1e3);
        }
        if round + 1 == options.warmup + options.repeat {
            let result = |(i, (place, aval)): (usize, (&ResultPlace, &Aval))| match *place {
                ResultPlace::Output => results[i].to_tensor(),
                ResultPlace::Input(input) => Tensor::from_bytes(aval, arguments[input].as_bytes()),
            };
            outputs = code.results().iter().zip(code.outputs()).enumerate().map(result).collect();
        }
    }
    let passed: usize = code.inputs().iter().chain(code.outputs()).map(Aval::bytes).sum();
    let report = Report {
        device: Device::Cpu,
        compile_ms,
        run_ms,
        kernels: code.kernels(),
        peak_bytes: Some(passed + code.arena_bytes()),
        threads: rjax_runtime::threads(),
    };
    Ok((outputs, report))
}

fn compile(program: &Program, donated: &[usize]) -> rjax_ir::Result<Executable> {
    let program = rjax_rewrite::simplify(program, &Default::default())?;
    let avals = program.in_avals();
    if let Some(&i) = donated.iter().find(|&&i| i >= avals.len()) {
        rjax_ir::bail!(Parameter, "--donate: there is no input {i}; the program has {} inputs", avals.len())
    }
    // The bytes of a bool are not free to hold anything else.
    let donate = (0..avals.len()).map(|i| donated.contains(&i) && avals[i].dtype != DType::Bool).collect();
    let module = rjax_kernel::plan(&program, &rjax_kernel::Options { donate, ..Default::default() })?;
    rjax_codegen_cpu::compile(&module, &Default::default())
}
