//! Running a program on arrays from an npz file.

use std::time::Instant;

use rjax_codegen_cpu::{Executable, Input, Options, ResultPlace, compile, compile_observed};
use rjax_ir::{Aval, Interpreter, Program, Shape, Tensor};
use rjax_runtime::profile::Recording;
use rjax_runtime::{Buffer, Device, pool_stats, set_threads, threads};

use crate::args::Run;
use crate::pjrt::{Plugged, pjrt_path};
use crate::transform::{Transform, Transforms};
use crate::{Result, npz, pipeline, read, write_output};

/// Reads the inputs, runs the program, writes or prints the outputs.
pub fn run(options: &Run) -> Result<()> {
    if options.repeat == 0 {
        return Err("--repeat: expected at least 1, found 0".to_string());
    }
    if options.trace.is_some() && options.device != "cpu" {
        return Err(format!("--trace: only calls on `cpu` are observed; found --device {}", options.device));
    }
    use_threads(options.threads)?;
    let plugged = pjrt_path(&options.device)?.map(|path| Plugged::new(&path)).transpose()?;
    let device =
        if plugged.is_some() { Device::Cpu } else { Device::parse(&options.device).map_err(|e| e.to_string())? };
    let file = options.source.file.as_deref().expect("clap requires FILE");
    let named = read::named(file)?;
    let stored = options.inputs.as_deref().map_or(Ok(vec![]), npz::read)?;
    let stored = used_inputs(stored, &named, &options.source.transforms)?;
    let program = named.program;
    let shapes: Vec<Shape> = stored.iter().map(|array| array.shape().clone()).collect();
    let lanes = options.source.transforms.lanes(&shapes, options.source.batch_size)?;
    let program = read::transformed(&options.source, program, &lanes)?;
    let inputs = check_inputs(&program, stored, options.inputs.as_deref())?;
    let (outputs, report) = match (&plugged, device) {
        (Some(plugged), _) => plugged_in(plugged, &program, &inputs, options)?,
        (None, Device::Interpreter) => interpret(&program, &inputs, options)?,
        (None, Device::Cpu) => compiled(&program, &inputs, options)?,
        (None, Device::Pjrt(_)) => unreachable!("plugins have been taken care of"),
    };
    trace(&program, &inputs, options)?;
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

/// Sets the number of threads to what `--threads` says.
pub fn use_threads(threads: Option<usize>) -> Result<()> {
    match threads {
        Some(0) => return Err("--threads: expected at least 1, found 0".to_string()),
        Some(threads) => set_threads(threads),
        None => {}
    }
    Ok(())
}

/// Of more arrays than the program has inputs those that it uses: `jax.export` drops arguments that the function does not
/// use, and the names of the inputs say which remained.
pub fn used_inputs(stored: Vec<npz::Stored>, named: &read::Named, transforms: &Transforms) -> Result<Vec<npz::Stored>> {
    let wanted = named.program.invars.len();
    let adds_inputs = |t: &Transform| matches!(t, Transform::Jvp | Transform::Vjp | Transform::Linearize);
    if stored.len() <= wanted || transforms.0.iter().any(adds_inputs) {
        return Ok(stored);
    }
    let found = stored.len();
    let positions = named.positions().filter(|positions| positions.last().is_none_or(|&last| last < found));
    let Some(positions) = positions.filter(|positions| !positions.is_empty()) else {
        return Err(format!(
            "the program has {wanted} inputs, but {found} arrays are given, and the names of its inputs do not say which are used"
        ));
    };
    let used = |(index, array): (usize, npz::Stored)| positions.contains(&index).then_some(array);
    Ok(stored.into_iter().enumerate().filter_map(used).collect())
}

/// The inputs as the program's signature types them.
pub fn check_inputs(program: &Program, stored: Vec<npz::Stored>, path: Option<&str>) -> Result<Vec<Tensor>> {
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
pub struct Report {
    device: String,
    /// From the program to something callable.
    pub compile_ms: f64,
    /// One entry for each repeat.
    pub run_ms: Vec<f64>,
    /// How many kernels were compiled.
    pub kernels: usize,
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
    let report = Report {
        device: Device::Interpreter.to_string(),
        compile_ms: 0.0,
        run_ms,
        kernels: 0,
        peak_bytes: None,
        threads: 1,
    };
    Ok((outputs, report))
}

/// Compiles for this processor and runs the machine code.
pub fn compiled(program: &Program, inputs: &[Tensor], options: &Run) -> Result<(Vec<Tensor>, Report)> {
    let start = Instant::now();
    let module = pipeline::module(&options.source, program, &options.donate)?;
    let executable = compile(&module, &Options { threads: threads() }).map_err(|e| e.to_string())?;
    let compile_ms = start.elapsed().as_secs_f64() * 1e3;
    let (mut run_ms, outputs) = calls(&executable, inputs, &options.donate, options.warmup + options.repeat)?;
    let report = Report {
        device: Device::Cpu.to_string(),
        compile_ms,
        run_ms: run_ms.split_off(options.warmup),
        kernels: executable.kernels(),
        peak_bytes: Some(pool_stats().peak_bytes),
        threads: threads(),
    };
    Ok((outputs, report))
}

/// How long each of so many calls takes, and the results of the last.
fn calls(
    executable: &Executable,
    inputs: &[Tensor],
    donate: &[usize],
    count: usize,
) -> Result<(Vec<f64>, Vec<Tensor>)> {
    let mut arguments: Vec<Buffer> = inputs.iter().map(Buffer::from_tensor).collect();
    let nothing = |aval: &Aval| aval.with_shape([0]);
    let mut results: Vec<Buffer> = (executable.outputs().iter().zip(executable.results()))
        .map(|(aval, place)| Buffer::new(if *place == ResultPlace::Output { aval.clone() } else { nothing(aval) }))
        .collect();
    let mut run_ms = vec![];
    for _ in 0..count {
        for &donated in donate {
            arguments[donated] = Buffer::from_tensor(&inputs[donated]);
        }
        let mut given: Vec<Input<'_>> = (arguments.iter_mut().enumerate())
            .map(|(index, buffer)| match donate.contains(&index) {
                true => Input::Donated(buffer.as_bytes_mut()),
                false => Input::Shared(buffer.as_bytes()),
            })
            .collect();
        let mut taken: Vec<&mut [u8]> = results.iter_mut().map(Buffer::as_bytes_mut).collect();
        let start = Instant::now();
        executable.run(&mut given, &mut taken).map_err(|e| e.to_string())?;
        run_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let outputs = (executable.outputs().iter().zip(executable.results()).zip(&results))
        .map(|((aval, place), buffer)| match *place {
            ResultPlace::Output => buffer.to_tensor(),
            ResultPlace::Input(input) => Tensor::from_bytes(aval, arguments[input].as_bytes()),
        })
        .collect();
    Ok((run_ms, outputs))
}

/// Compiles the program so that its calls can be observed, and writes the profile of one to where `--trace` says.
pub fn trace(program: &Program, inputs: &[Tensor], options: &Run) -> Result<()> {
    let Some(path) = &options.trace else { return Ok(()) };
    let (module, origins) = pipeline::observed(&options.source, program, &options.donate)?;
    let executable = compile_observed(&module, &origins, &Options { threads: threads() }).map_err(|e| e.to_string())?;
    calls(&executable, inputs, &options.donate, options.warmup.max(1))?;
    let recording = Recording::start().expect("nothing else records here");
    calls(&executable, inputs, &options.donate, 1)?;
    write_output(Some(path), recording.finish().chrome_trace().as_bytes())
}

/// Compiles with a plugin and runs on its first device; times are from arrays on the device to arrays on the device.
fn plugged_in(plugged: &Plugged, program: &Program, inputs: &[Tensor], options: &Run) -> Result<(Vec<Tensor>, Report)> {
    if !options.donate.is_empty() {
        return Err("--donate: inputs cannot be donated to a plugin's device yet".to_string());
    }
    let start = Instant::now();
    let executable = plugged.compile(program)?;
    let compile_ms = start.elapsed().as_secs_f64() * 1e3;
    let message = |e: rjax_ir::Error| e.to_string();
    let upload = |x: &Tensor| plugged.client().upload(x, 0).map_err(message);
    let buffers = inputs.iter().map(upload).collect::<Result<Vec<_>>>()?;
    let given: Vec<_> = buffers.iter().collect();
    let (mut outputs, mut run_ms) = (vec![], vec![]);
    for step in 0..options.warmup + options.repeat {
        let start = Instant::now();
        outputs = executable.execute(&given).map_err(message)?;
        for output in &outputs {
            output.wait().map_err(message)?;
        }
        if step >= options.warmup {
            run_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let outputs = outputs.iter().map(|buffer| buffer.download().map_err(message)).collect::<Result<_>>()?;
    let platform = plugged.client().platform().map_err(message)?;
    let device = format!("pjrt:{platform}");
    Ok((outputs, Report { device, compile_ms, run_ms, kernels: 0, peak_bytes: None, threads: threads() }))
}
