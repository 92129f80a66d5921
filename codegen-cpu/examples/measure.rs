//! Prints how fast code is made, how fast it is called and how fast it runs.
//!
//! `cargo run --release -p rjax-codegen-cpu --example measure [compile|call|gemm|map|reduce]`

use std::time::Instant;

use rjax_codegen_cpu::{Executable, Input, Options, compile};
use rjax_ir::{Atom, Aval, Builder, DType, Program, Unary};
use rjax_kernel::plan;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let sections: [(&str, fn()); 5] =
        [("compile", compile_time), ("call", call_time), ("gemm", products), ("map", maps), ("reduce", reductions)];
    for (name, measure) in sections {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            println!("{name}");
            measure();
        }
    }
}

/// The least time of several runs, in seconds.
fn least(repeats: usize, mut run: impl FnMut()) -> f64 {
    (0..repeats)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// Memory for the arguments of a program, all elements small numbers.
struct Arguments {
    inputs: Vec<Vec<u64>>,
    outputs: Vec<Vec<u64>>,
}

impl Arguments {
    fn of(executable: &Executable) -> Arguments {
        let room = |aval: &Aval| vec![0u64; aval.bytes().div_ceil(8)];
        let fill = |aval: &Aval| {
            let mut memory = room(aval);
            match aval.dtype {
                DType::F32 => bytemuck::cast_slice_mut(&mut memory).fill(0.37f32),
                DType::F64 => bytemuck::cast_slice_mut(&mut memory).fill(0.37f64),
                DType::Bool
                | DType::I8
                | DType::I16
                | DType::I32
                | DType::I64
                | DType::U8
                | DType::U16
                | DType::U32
                | DType::U64
                | DType::F16
                | DType::BF16
                | DType::C64
                | DType::C128
                | DType::Narrow(_) => {}
            }
            memory
        };
        Arguments {
            inputs: executable.inputs().iter().map(fill).collect(),
            outputs: executable.outputs().iter().map(room).collect(),
        }
    }

    fn call(&mut self, executable: &Executable) {
        let inputs = self.inputs.iter().zip(executable.inputs());
        let mut inputs: Vec<Input<'_>> =
            inputs.map(|(m, a)| Input::Shared(&bytemuck::cast_slice(m)[..a.bytes()])).collect();
        let outputs = self.outputs.iter_mut().zip(executable.outputs());
        let mut outputs: Vec<&mut [u8]> = outputs.map(|(m, a)| &mut bytemuck::cast_slice_mut(m)[..a.bytes()]).collect();
        executable.run(&mut inputs, &mut outputs).expect("the arguments fit");
    }
}

fn build(program: &Program) -> Executable {
    let module = plan(program, &rjax_kernel::Options::default()).expect("lowers");
    compile(&module, &Options::default()).expect("compiles")
}

/// Seconds that one call takes.
fn run_time(program: &Program, repeats: usize) -> f64 {
    let executable = build(program);
    let mut arguments = Arguments::of(&executable);
    arguments.call(&executable);
    least(repeats, || arguments.call(&executable))
}

fn program(inputs: &[Aval], write: impl FnOnce(&mut Builder, &[Atom]) -> Vec<Atom>) -> Program {
    let mut b = Builder::new();
    let atoms: Vec<Atom> = inputs.iter().map(|aval| b.input(aval.clone())).collect();
    let outputs = write(&mut b, &atoms);
    b.finish(outputs)
}

/// A product of matrices with leading batch axes.
fn dot(b: &mut Builder, x: Atom, y: Atom) -> Atom {
    let batch: Vec<usize> = (0..b.shape(x).rank() - 2).collect();
    let (n, dtype) = (batch.len(), b.dtype(x));
    b.dot_general(x, y, (&[n + 1], &[n]), (&batch, &batch), dtype)
}

/// A network of dense layers with tanh: about five equations a layer.
fn dense_layers(layers: usize) -> Program {
    let mut avals = vec![Aval::new(DType::F32, [32, 64])];
    for _ in 0..layers {
        avals.extend([Aval::new(DType::F32, [64, 64]), Aval::new(DType::F32, [64])]);
    }
    program(&avals, |b, inputs| {
        let mut x = inputs[0];
        for layer in inputs[1..].chunks(2) {
            let y = dot(b, x, layer[0]);
            let shape = b.shape(y);
            let bias = b.broadcast_in_dim(layer[1], &shape, &[1]);
            let y = b.add(y, bias);
            x = b.unary(Unary::Tanh, y);
        }
        vec![b.reduce_sum(x, &[0, 1])]
    })
}

/// Many scalar equations that hold together.
fn long_chain(equations: usize) -> Program {
    program(&[Aval::scalar(DType::F32), Aval::scalar(DType::F32)], |b, inputs| {
        let (mut x, mut y) = (inputs[0], inputs[1]);
        for i in 0..equations {
            let next = if i % 5 == 4 { b.unary(Unary::Sin, x) } else { b.add(x, y) };
            (x, y) = (next, x);
        }
        vec![x]
    })
}

/// Many equations on arrays, with a product after every few, so that there are many kernels.
fn many_kernels(equations: usize) -> Program {
    program(&[Aval::new(DType::F32, [8, 8])], |b, inputs| {
        let mut x = inputs[0];
        for i in 0..equations {
            x = match i % 4 {
                3 => dot(b, x, x),
                2 => b.mul_scalar(x, 0.5 + i as f64),
                _ => b.unary(Unary::Neg, x),
            };
        }
        vec![x]
    })
}

fn compile_time() {
    let programs = [
        ("x + 1", program(&[Aval::scalar(DType::F32)], |b, x| vec![b.add_scalar(x[0], 1.0)])),
        ("3 dense layers", dense_layers(3)),
        ("gradient of 3 dense layers", rjax_autodiff::grad(&dense_layers(3), None).expect("differentiable")),
        ("gradient of 12 dense layers", rjax_autodiff::grad(&dense_layers(12), None).expect("differentiable")),
        ("chain of 500", long_chain(500)),
        ("chain of 5000", long_chain(5000)),
        ("chain of 20000", long_chain(20000)),
        ("500 equations, many kernels", many_kernels(500)),
        ("5000 equations, many kernels", many_kernels(5000)),
        ("20000 equations, many kernels", many_kernels(20000)),
    ];
    for (name, program) in programs {
        let repeats = if program.eqns.len() > 1000 { 1 } else { 5 };
        let lower = least(repeats, || drop(plan(&program, &rjax_kernel::Options::default())));
        let module = plan(&program, &rjax_kernel::Options::default()).expect("lowers");
        let code = least(repeats, || drop(compile(&module, &Options::default())));
        println!(
            "  {name:32} {:6} equations {:5} kernels   plan {:9.2} ms   compile {:9.2} ms",
            program.eqns.len(),
            module.kernels.len(),
            lower * 1e3,
            code * 1e3
        );
    }
}

fn call_time() {
    let executable = build(&program(&[Aval::scalar(DType::F32)], |b, x| vec![b.add_scalar(x[0], 1.0)]));
    let mut arguments = Arguments::of(&executable);
    let many = 10_000;
    let time = least(20, || (0..many).for_each(|_| arguments.call(&executable)));
    println!("  x + 1: {:.0} ns a call, argument lists included", time / many as f64 * 1e9);
}

fn products() {
    let shapes: [(&[usize], [usize; 3]); 15] = [
        (&[], [64, 64, 64]),
        (&[], [128, 128, 128]),
        (&[], [256, 256, 256]),
        (&[], [512, 512, 512]),
        (&[], [1024, 1024, 1024]),
        (&[], [128, 512, 784]),
        (&[], [64, 1024, 1024]),
        (&[], [512, 512, 128]),
        (&[], [32, 64, 64]),
        (&[], [1, 1024, 1024]),
        (&[], [1024, 1, 1024]),
        (&[], [4, 1024, 1024]),
        (&[], [1000, 10, 64]),
        (&[32], [64, 64, 64]),
        (&[1000], [8, 8, 8]),
    ];
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        for (batch, [m, n, k]) in shapes {
            let aval = |rows, columns| Aval::new(dtype, [batch, &[rows, columns]].concat());
            let program = program(&[aval(m, k), aval(k, n)], |b, x| vec![dot(b, x[0], x[1])]);
            let flops = 2.0 * (m * n * k * batch.iter().product::<usize>()) as f64;
            let time = run_time(&program, (2e8 / flops) as usize + 5);
            println!("  {dtype:4} {batch:?} {m} x {n} x {k}: {:.1} GFLOP/s, {:.1} us", flops / time * 1e-9, time * 1e6);
        }
    }
}

fn maps() {
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let len = 2880;
        let x = Aval::new(dtype, [len]);
        let report = |name: &str, write: fn(&mut Builder, &[Atom]) -> Atom| {
            let program = program(&[x.clone(), x.clone(), x.clone()], |b, inputs| vec![write(b, inputs)]);
            let time = run_time(&program, 2000);
            println!("  {dtype:4} {name:24} {:.3} ns an element", time / len as f64 * 1e9);
        };
        report("x * y + z", |b, x| {
            let xy = b.mul(x[0], x[1]);
            b.add(xy, x[2])
        });
        report("tanh(x) * y + z", |b, x| {
            let t = b.unary(Unary::Tanh, x[0]);
            let ty = b.mul(t, x[1]);
            b.add(ty, x[2])
        });
        report("exp(x)", |b, x| b.unary(Unary::Exp, x[0]));
        report("sqrt(x)", |b, x| b.unary(Unary::Sqrt, x[0]));
    }
}

fn reductions() {
    for dtype in [DType::F32, DType::F64] {
        for (shape, axes) in [([1024, 1024], vec![0, 1]), ([1024, 1024], vec![1]), ([1024, 1024], vec![0])] {
            let program = program(&[Aval::new(dtype, shape)], |b, x| vec![b.reduce_sum(x[0], &axes)]);
            let time = run_time(&program, 50);
            let bytes = (shape[0] * shape[1] * dtype.size()) as f64;
            println!("  {dtype} sum of {shape:?} over {axes:?}: {:.1} GB/s", bytes / time * 1e-9);
        }
    }
}
