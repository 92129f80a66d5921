//! Schedules, calls and their errors.

use std::sync::Arc;

use rjax_ir::{Aval, Binary, DType, Scalar, Tensor};
use rjax_kernel::kir::{
    Access, Buffer, BufferId, Class, CounterId, Expr, Gemm, GemmAxis, Index, Kernel, KernelId, Module, Order, Sort,
    SortOperand, Space, Stmt, TopK, View,
};

use super::{KernelBuilder, build, module_of};
use crate::{Input, Options, asm_text, capture_prints, clif_text, compile};

/// `out[i] = x[i] op y[i]`.
fn pairwise(op: Binary, dtype: DType, len: usize) -> Kernel {
    let params = [(dtype, len, Access::Read), (dtype, len, Access::Read), (dtype, len, Access::Write)];
    let mut k = KernelBuilder::new(Class::Map, &params, len);
    let variable = k.reg(DType::I64);
    let mut body = vec![];
    let x = k.load(&mut body, 0, Index::reg(variable));
    let y = k.load(&mut body, 1, Index::reg(variable));
    let z = k.let_(&mut body, dtype, Expr::Binary(op, x, y));
    k.store(&mut body, 2, Index::reg(variable), z);
    let body = k.over_range(variable, Order::Vector, body);
    k.kernel.body.push(body);
    k.kernel
}

fn buffer(dtype: DType, len: usize, space: Space) -> Buffer {
    Buffer { dtype, len, space }
}

fn whole(id: u32) -> View {
    View::whole(BufferId(id))
}

fn launch(kernel: u32, args: &[u32]) -> Stmt {
    Stmt::Launch { kernel: KernelId(kernel), args: args.iter().map(|&id| whole(id)).collect() }
}

/// Fibonacci by a schedule loop: out = (a, b) after n steps, with the counter's steps written to ys.
fn fibonacci(length: usize, reverse: bool) -> Module {
    let i = DType::I32;
    let at = |id: u32, stride: usize| View { buffer: BufferId(id), offset: 0, terms: vec![(CounterId(0), stride)] };
    Module {
        inputs: vec![Aval::new(i, []), Aval::new(i, [])],
        outputs: vec![Aval::new(i, []), Aval::new(i, []), Aval::new(i, [length])],
        results: vec![BufferId(2), BufferId(3), BufferId(4)],
        buffers: vec![
            buffer(i, 1, Space::Input(0)),
            buffer(i, 1, Space::Input(1)),
            buffer(i, 1, Space::Output(0)),
            buffer(i, 1, Space::Output(1)),
            buffer(i, length, Space::Output(2)),
            buffer(i, 1, Space::Arena(64)),
        ],
        kernels: vec![pairwise(Binary::Add, i, 1)],
        body: vec![
            Stmt::Copy { source: whole(0), destination: whole(2), len: 1 },
            Stmt::Copy { source: whole(1), destination: whole(3), len: 1 },
            Stmt::For {
                counter: CounterId(0),
                length,
                reverse,
                body: vec![
                    launch(0, &[2, 3, 5]),
                    Stmt::Copy { source: whole(3), destination: whole(2), len: 1 },
                    Stmt::Copy { source: whole(5), destination: whole(3), len: 1 },
                    Stmt::Copy { source: whole(2), destination: at(4, 1), len: 1 },
                ],
            },
        ],
        arena_bytes: 128,
        counters: 1,
        ..Module::default()
    }
}

#[test]
fn counted_loops_carry_and_stack() {
    for reverse in [false, true] {
        let one = Tensor::scalar(1i32);
        let outputs = build(&fibonacci(10, reverse)).call(&[one.clone(), one]).expect("fits");
        assert_eq!(outputs[0].to_vec::<i32>(), [89]);
        let mut steps = outputs[2].to_vec::<i32>();
        if reverse {
            steps.reverse();
        }
        assert_eq!(steps, [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]);
    }
    let outputs = build(&fibonacci(0, false)).call(&[Tensor::scalar(3i32), Tensor::scalar(4i32)]).expect("fits");
    assert_eq!((outputs[0].to_vec::<i32>(), outputs[2].shape().size()), (vec![3], 0));
}

/// Doubles x until it reaches y, printing each value; then a switch on a bool, and one on an i32.
#[test]
fn whiles_switches_and_prints() {
    let f = DType::F32;
    let less = {
        let params = [(f, 1, Access::Read), (f, 1, Access::Read), (DType::Bool, 1, Access::Write)];
        let mut k = KernelBuilder::new(Class::Map, &params, 1);
        let mut body = vec![];
        let x = k.load(&mut body, 0, Index::constant(0));
        let y = k.load(&mut body, 1, Index::constant(0));
        let z = k.let_(&mut body, DType::Bool, Expr::Compare(rjax_ir::Compare::Lt, x, y));
        k.store(&mut body, 2, Index::constant(0), z);
        k.kernel.body = body;
        k.kernel
    };
    let print = |text: &str, operand: u32| Stmt::Print {
        format: Arc::from(text),
        operands: vec![(whole(operand), Aval::scalar(f))],
    };
    let module = Module {
        inputs: vec![Aval::scalar(f), Aval::scalar(f), Aval::scalar(DType::I32)],
        outputs: vec![Aval::scalar(f)],
        results: vec![BufferId(3)],
        buffers: vec![
            buffer(f, 1, Space::Input(0)),
            buffer(f, 1, Space::Input(1)),
            buffer(DType::I32, 1, Space::Input(2)),
            buffer(f, 1, Space::Output(0)),
            buffer(f, 1, Space::Arena(0)),
            buffer(DType::Bool, 1, Space::Arena(64)),
        ],
        kernels: vec![pairwise(Binary::Add, f, 1), less],
        body: vec![
            Stmt::Copy { source: whole(0), destination: whole(3), len: 1 },
            Stmt::While {
                condition: vec![launch(1, &[3, 1, 5])],
                predicate: whole(5),
                body: vec![
                    print("x = {}", 3),
                    launch(0, &[3, 3, 4]),
                    Stmt::Copy { source: whole(4), destination: whole(3), len: 1 },
                ],
            },
            Stmt::Switch { index: whole(5), branches: vec![vec![print("done {}", 3)], vec![print("never {}", 3)]] },
            Stmt::Switch {
                index: whole(2),
                branches: vec![vec![print("zero {}", 0)], vec![print("one {}", 0)], vec![print("two {}", 0)]],
            },
        ],
        arena_bytes: 128,
        ..Module::default()
    };
    let executable = build(&module);
    for (index, name) in [(-5, "zero"), (0, "zero"), (1, "one"), (2, "two"), (9, "two")] {
        let inputs = [Tensor::scalar(1.5f32), Tensor::scalar(5f32), Tensor::scalar(index)];
        let (outputs, lines) = capture_prints(|| executable.call(&inputs).expect("fits"));
        assert_eq!(outputs[0].to_vec::<f32>(), [6.0]);
        assert_eq!(lines, ["x = 1.5", "x = 3.0", "done 6.0", &format!("{name} 1.5")]);
    }
}

#[test]
fn routines() {
    let f = DType::F32;
    let axis = |extent, lhs, rhs, out| GemmAxis { extent, lhs, rhs, out };
    let module = Module {
        inputs: vec![Aval::new(f, [2, 3]), Aval::new(f, [3, 2]), Aval::new(DType::I32, [6])],
        outputs: vec![
            Aval::new(f, [2, 2]),
            Aval::new(f, [2, 3]),
            Aval::new(DType::I32, [2, 3]),
            Aval::new(f, [2, 2]),
            Aval::new(DType::I32, [2, 2]),
        ],
        results: (3..8).map(BufferId).collect(),
        buffers: vec![
            buffer(f, 6, Space::Input(0)),
            buffer(f, 6, Space::Input(1)),
            buffer(DType::I32, 6, Space::Input(2)),
            buffer(f, 4, Space::Output(0)),
            buffer(f, 6, Space::Output(1)),
            buffer(DType::I32, 6, Space::Output(2)),
            buffer(f, 4, Space::Output(3)),
            buffer(DType::I32, 4, Space::Output(4)),
        ],
        body: vec![
            Stmt::Gemm(Gemm {
                dtype: f,
                out_dtype: f,
                batch: vec![],
                m: axis(2, 3, 0, 2),
                n: axis(2, 0, 1, 1),
                k: axis(3, 1, 2, 0),
                outer_k: vec![],
                lhs: whole(0),
                rhs: whole(1),
                out: whole(3),
                add: false,
            }),
            // Along the first axis of (2, 3), with positions that travel along.
            Stmt::Sort(Sort {
                outer: 1,
                extent: 2,
                inner: 3,
                num_keys: 1,
                stable: true,
                operands: vec![
                    SortOperand { dtype: f, source: whole(0), destination: whole(4) },
                    SortOperand { dtype: DType::I32, source: whole(2), destination: whole(5) },
                ],
            }),
            Stmt::TopK(TopK {
                dtype: f,
                rows: 2,
                extent: 3,
                k: 2,
                source: whole(0),
                values: whole(6),
                indices: whole(7),
            }),
        ],
        ..Module::default()
    };
    let x = Tensor::from_vec([2, 3], vec![5.0f32, 1.0, f32::NAN, 2.0, 1.0, 3.0]);
    let y = Tensor::from_vec([3, 2], vec![1.0f32, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let outputs = build(&module).call(&[x, y, Tensor::from_vec([6], (0..6).collect())]).expect("fits");
    assert_eq!(outputs[0].to_vec::<f32>()[2..], [2.0, 1.0]);
    assert_eq!(outputs[1].to_vec::<f32>()[..5], [2.0, 1.0, 3.0, 5.0, 1.0]);
    assert!(outputs[1].to_vec::<f32>()[5].is_nan());
    assert_eq!(outputs[2].to_vec::<i32>(), [3, 1, 5, 0, 4, 2]);
    assert_eq!(outputs[3].to_vec::<f32>()[1..], [5.0, 3.0, 2.0]);
    assert_eq!(outputs[4].to_vec::<i32>(), [2, 0, 2, 0]);
}

/// Stable sorts of every dtype and length by one or two keys, against the interpreter's order.
/// Long lines are cut into parts; those without zeros of both signs and NaN are sorted without their positions.
#[test]
fn sorts_of_one_array() {
    for dtype in DType::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
        for (extent, special) in [(0, false), (1, false), (40, false), (700, false), (700, true), (300_000, false)] {
            let element = |i: usize| match i % 97 {
                0 if special && dtype.is_float() => Scalar::from_f64(dtype, f64::NAN),
                1 if special && dtype.is_float() => Scalar::from_f64(dtype, -0.0),
                2 if dtype.is_float() => Scalar::from_f64(dtype, f64::NEG_INFINITY),
                _ if dtype == DType::Bool => Scalar::new(i.is_multiple_of(3)),
                _ => Scalar::from_f64(dtype, ((i * 7919) % 65_521) as f64 * 0.37 - 9000.0),
            };
            let x = super::tensor(dtype, (0..extent).map(element));
            let module = Module {
                inputs: vec![Aval::new(dtype, [extent])],
                outputs: vec![Aval::new(dtype, [extent])],
                results: vec![BufferId(1)],
                buffers: vec![buffer(dtype, extent, Space::Input(0)), buffer(dtype, extent, Space::Output(0))],
                body: vec![Stmt::Sort(Sort {
                    outer: 1,
                    extent,
                    inner: 1,
                    num_keys: 1,
                    stable: true,
                    operands: vec![SortOperand { dtype, source: whole(0), destination: whole(1) }],
                })],
                ..Module::default()
            };
            let found = build(&module).call(std::slice::from_ref(&x)).expect("fits").remove(0);
            let sort = rjax_ir::Sort { axis: 0, stable: true, num_keys: 1 };
            let expected = rjax_ir::eval_op(&rjax_ir::Op::Sort(sort), &[x]).expect("accepted").remove(0);
            assert!(found.bits_equal(&expected), "{extent} {dtype}");
        }
    }
}

#[test]
fn sorts() {
    for dtype in DType::ALL {
        let sizes = [(0, 1), (1, 1), (40, 1), (40, 2), (700, 1)];
        for ((extent, num_keys), stable) in sizes.into_iter().flat_map(|size| [(size, true), (size, false)]) {
            let element = |i: usize| {
                let part = |j: usize| match (i * 7 + j * 3) % 11 {
                    _ if !dtype.is_inexact() => ((i * 31) % 13) as f64,
                    0 => f64::NAN,
                    1 => -0.0,
                    2 => 0.0,
                    3 => f64::NEG_INFINITY,
                    v => v as f64 - 6.0,
                };
                let [re, im] = [part(0), part(1)].map(|v| Scalar::from_f64(dtype.real(), v).bits()[0]);
                Scalar::from_bits(dtype, [re, if dtype.is_complex() { im } else { 0 }])
            };
            let keys: Vec<Scalar> = (0..extent).map(element).collect();
            let second: Vec<i32> = (0..extent as i32).map(|i| i * 17 % 5).collect();
            let part = if dtype.is_complex() { 2 } else { 1 };
            let mut operands = vec![SortOperand { dtype, source: whole(0), destination: whole(3) }];
            operands.push(SortOperand { dtype: DType::I32, source: whole(1), destination: whole(4) });
            operands.push(SortOperand { dtype: DType::I32, source: whole(2), destination: whole(5) });
            let i32s = Aval::new(DType::I32, [extent]);
            let module = Module {
                inputs: vec![Aval::new(dtype, [extent]), i32s.clone(), i32s.clone()],
                outputs: vec![Aval::new(dtype, [extent]), i32s.clone(), i32s],
                results: vec![BufferId(3), BufferId(4), BufferId(5)],
                buffers: vec![
                    buffer(dtype.real(), extent * part, Space::Input(0)),
                    buffer(DType::I32, extent, Space::Input(1)),
                    buffer(DType::I32, extent, Space::Input(2)),
                    buffer(dtype.real(), extent * part, Space::Output(0)),
                    buffer(DType::I32, extent, Space::Output(1)),
                    buffer(DType::I32, extent, Space::Output(2)),
                ],
                body: vec![Stmt::Sort(Sort { outer: 1, extent, inner: 1, num_keys, stable, operands })],
                ..Module::default()
            };
            let positions: Vec<i32> = (0..extent as i32).collect();
            let inputs = [
                super::tensor(dtype, keys.iter().copied()),
                Tensor::from_vec([extent], second),
                Tensor::from_vec([extent], positions.clone()),
            ];
            let found = build(&module).call(&inputs).expect("fits");
            let sort = rjax_ir::Sort { axis: 0, stable, num_keys };
            let expected = rjax_ir::eval_op(&rjax_ir::Op::Sort(sort), &inputs).expect("accepted");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    found.bits_equal(expected),
                    "{extent} {dtype} by {num_keys}, stable {stable}: {found:?} {expected:?}"
                );
            }
        }
    }
}

/// `x + y` where x's memory takes the result.
fn donating(len: usize) -> Module {
    let mut module = module_of(pairwise(Binary::Add, DType::F32, len));
    module.buffers[2].space = Space::Input(0);
    module
}

#[test]
fn donated_inputs_hold_results() {
    let module = donating(5);
    let executable = build(&module);
    let inputs = [Tensor::from_vec([5], vec![1f32; 5]), Tensor::from_vec([5], vec![2f32; 5])];
    assert_eq!(executable.call(&inputs).expect("fits")[0].to_vec::<f32>(), [3.0; 5]);
    let bytes = inputs[0].to_bytes();
    let error = executable
        .run(&mut [Input::Shared(&bytes), Input::Shared(&bytes)], &mut [&mut []])
        .expect_err("the first input is written");
    assert_eq!(error.message, "call: the program writes input 0, which must be donated");
}

#[test]
fn calls_check_their_arguments() {
    let executable = build(&module_of(pairwise(Binary::Add, DType::F32, 4)));
    let memory = [0u64; 4];
    let bytes: &[u8] = bytemuck::cast_slice(&memory);
    let mut out = [0u64; 4];
    let out: &mut [u8] = bytemuck::cast_slice_mut(&mut out);
    let mut message = |inputs: &mut [Input<'_>], bytes: usize| {
        executable.run(inputs, &mut [&mut out[..bytes]]).expect_err("wrong arguments").message
    };
    let good = || Input::Shared(&bytes[..16]);
    assert_eq!(message(&mut [good()], 16), "call: found 1 inputs; the program has 2");
    assert_eq!(
        message(&mut [good(), Input::Shared(&bytes[..12])], 16),
        "call: input 1 is f32[4], which has 16 bytes; found 12"
    );
    assert_eq!(message(&mut [good(), good()], 8), "call: output 0 is f32[4], which has 16 bytes; found 8");
    assert_eq!(
        message(&mut [good(), Input::Shared(&bytes[1..17])], 16),
        "call: input 1 is f32[4] and must be aligned to 4 bytes"
    );
    let error = executable.run(&mut [good(), good()], &mut []).expect_err("no outputs");
    assert_eq!(error.message, "call: found 0 outputs; the program has 1");
}

#[test]
fn modules_that_reach_too_far_are_rejected() {
    let mut module = module_of(pairwise(Binary::Add, DType::F32, 4));
    module.buffers[1].len = 3;
    let error = compile(&module, &Options::default()).expect_err("the view is too short");
    assert_eq!(error.message, "cpu: launch: 4 elements from b1 on, which has 3");
    let mut module = module_of(pairwise(Binary::Add, DType::F32, 4));
    module.buffers[1].len = 5;
    let error = compile(&module, &Options::default()).expect_err("the buffer is longer than its input");
    assert_eq!(error.message, "cpu: buffer b1 (f32[5] input 1) has 20 bytes, its memory 16");
    let error = compile(&module_of(pairwise(Binary::And, DType::F32, 4)), &Options::default()).expect_err("no such op");
    assert_eq!(error.message, "cpu: and does not accept f32");
}

#[test]
fn threads_call_one_executable() {
    let executable = build(&fibonacci(30, false));
    std::thread::scope(|scope| {
        for start in 0..4 {
            let executable = &executable;
            scope.spawn(move || {
                for _ in 0..200 {
                    let (mut a, mut b): (i32, i32) = (start, start + 1);
                    let outputs = executable.call(&[Tensor::scalar(a), Tensor::scalar(b)]).expect("fits");
                    for _ in 0..30 {
                        (a, b) = (b, a.wrapping_add(b));
                    }
                    assert_eq!(outputs[0].to_vec::<i32>(), [a]);
                }
            });
        }
    });
}

/// Schedules longer than one function, nested and straight.
#[test]
fn long_schedules_are_cut() {
    let mut module = module_of(pairwise(Binary::Add, DType::I32, 1));
    let [x, y, out] = [whole(0), whole(1), whole(2)];
    let step = |from: &View| Stmt::Launch { kernel: KernelId(0), args: vec![from.clone(), y.clone(), whole(3)] };
    module.buffers.push(buffer(DType::I32, 1, Space::Arena(0)));
    module.arena_bytes = 64;
    module.counters = 1;
    module.body = vec![Stmt::Copy { source: x, destination: out.clone(), len: 1 }];
    let inner = |count: usize| {
        (0..count)
            .flat_map(|_| [step(&out), Stmt::Copy { source: whole(3), destination: out.clone(), len: 1 }])
            .collect()
    };
    module.body.extend::<Vec<Stmt>>(inner(500));
    module.body.push(Stmt::For { counter: CounterId(0), length: 3, reverse: false, body: inner(200) });
    let text = clif_text(&module).expect("compiles");
    assert!(text.contains("part 5 of the schedule"), "{}", text.len());
    let outputs = build(&module).call(&[Tensor::from_vec([1], vec![7]), Tensor::from_vec([1], vec![2])]).expect("fits");
    assert_eq!(outputs[0].to_vec::<i32>(), [7 + 2 * (500 + 3 * 200)]);
}

#[test]
fn listings_are_the_same_every_time() {
    let module = fibonacci(5, true);
    let (clif, asm) = (clif_text(&module).expect("compiles"), asm_text(&module).expect("compiles"));
    assert!(clif.starts_with("; function u0:0: kernel @0\nfunction u0:0(i64, i64, i64)"), "{clif}");
    assert!(asm.contains("; function u0:1: schedule\n"), "{asm}");
    for _ in 0..3 {
        assert_eq!((&clif, &asm), (&clif_text(&module).expect("compiles"), &asm_text(&module).expect("compiles")));
    }
}

/// Inputs and outputs at the end of pages that are followed by forbidden ones: code that reads or writes one element too
/// many, in either direction, ends the process.
#[cfg(target_os = "linux")]
#[test]
fn code_stays_in_bounds() {
    for dtype in [DType::F32, DType::F64, DType::Bool, DType::F16, DType::BF16, DType::I32, DType::I8] {
        for len in [1, 3, 4, 5, 8, 13, 31] {
            let executable = build(&module_of(pairwise(Binary::Max, dtype, len)));
            for at_end in [true, false] {
                let mut blocks = [0; 3].map(|_| Guarded::new(len * dtype.size(), at_end));
                let [x, y, out] = &mut blocks;
                x.bytes().fill(1);
                y.bytes().fill(0);
                let mut inputs = [Input::Shared(x.bytes()), Input::Shared(y.bytes())];
                executable.run(&mut inputs, &mut [out.bytes()]).expect("fits");
                assert!(out.bytes().iter().all(|&b| b == 1), "{len} {dtype}");
            }
        }
    }
}

/// Memory between two pages that nobody may touch.
#[cfg(target_os = "linux")]
struct Guarded {
    mapping: *mut u8,
    start: usize,
    len: usize,
}

#[cfg(target_os = "linux")]
impl Guarded {
    const PAGE: usize = 4096;

    fn new(len: usize, at_end: bool) -> Guarded {
        assert!(len <= Guarded::PAGE);
        // SAFETY: a mapping of its own; the protection is of its first and last page.
        unsafe {
            let none = std::ptr::null_mut();
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let mapping = libc::mmap(none, 3 * Guarded::PAGE, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(mapping, libc::MAP_FAILED);
            let middle = mapping.cast::<u8>().add(Guarded::PAGE);
            assert_eq!(libc::mprotect(middle.cast(), Guarded::PAGE, libc::PROT_READ | libc::PROT_WRITE), 0);
            let start = Guarded::PAGE + if at_end { Guarded::PAGE - len } else { 0 };
            Guarded { mapping: mapping.cast(), start, len }
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the bytes are in the page that may be read and written.
        unsafe { std::slice::from_raw_parts_mut(self.mapping.add(self.start), self.len) }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping has this extent.
        unsafe { libc::munmap(self.mapping.cast(), 3 * Guarded::PAGE) };
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut b = rjax_ir::Builder::new();
    let flat = b.input(Aval::new(DType::F32, [100_003]));
    let rows = b.input(Aval::new(DType::F32, [301, 257]));
    let e = b.unary(rjax_ir::Unary::Exp, flat);
    let t = b.unary(rjax_ir::Unary::Tanh, flat);
    let each = b.add(e, t);
    let whole = b.reduce_sum(each, &[0]);
    let along = b.reduce_sum(rows, &[1]);
    let across = b.reduce_sum(rows, &[0]);
    let sorted = b.emit(rjax_ir::Op::Sort(rjax_ir::Sort { axis: 1, stable: true, num_keys: 1 }), &[rows]);
    let program = b.finish(vec![each, whole, along, across, sorted[0]]);
    let executable = build(&rjax_kernel::plan(&program, &rjax_kernel::Options::default()).expect("plans"));
    let values = |n: usize| (0..n).map(|i| ((i * 7919) % 1013) as f32 * 0.013 - 6.0).collect::<Vec<_>>();
    let inputs = [Tensor::from_vec([100_003], values(100_003)), Tensor::from_vec([301, 257], values(301 * 257))];
    let before = rjax_runtime::threads();
    rjax_runtime::set_threads(1);
    let expected = executable.call(&inputs).expect("runs");
    for threads in [2, 3, 8] {
        rjax_runtime::set_threads(threads);
        for (found, expected) in executable.call(&inputs).expect("runs").iter().zip(&expected) {
            assert!(found.bits_equal(expected), "{threads} threads: {found} for {expected}");
        }
    }
    rjax_runtime::set_threads(before);
}
