//! The KIR interpreter: runs modules slowly and safely.
//!
//! It tells whether a wrong result comes from lowering or from a code generator. Memory is bytes, as generators see it; every index and
//! every register is checked, memory that nobody wrote is filled with a pattern, and the parallel range of each kernel runs in two parts,
//! the second one first.

mod kernel;
mod memory;
mod routine;
mod scalar;

use rjax_ir::{Aval, DType, DebugPrint, Tensor};

use crate::kir::{CounterId, Module, Rows, Space, Stmt, View};
use memory::Memory;

/// Runs a module on inputs of its types and returns its outputs; what it prints is dropped.
pub fn interpret(module: &Module, inputs: &[Tensor]) -> Vec<Tensor> {
    interpret_with_print(module, inputs, &mut |_| {})
}

/// As [`interpret`], with every printed line passed on.
pub fn interpret_with_print(module: &Module, inputs: &[Tensor], print: &mut dyn FnMut(&str)) -> Vec<Tensor> {
    let found: Vec<Aval> = inputs.iter().map(Tensor::aval).collect();
    assert_eq!(found, module.inputs, "the inputs have other types than the module's");
    let mut machine =
        Machine { module, memory: Memory::new(module, inputs), counters: vec![0; module.counters as usize], print };
    machine.block(&module.body);
    let results = module.outputs.iter().zip(&module.results);
    results.map(|(aval, &buffer)| machine.memory.tensor(&module.buffers[buffer.index()], aval)).collect()
}

struct Machine<'a> {
    module: &'a Module,
    memory: Memory,
    counters: Vec<usize>,
    print: &'a mut dyn FnMut(&str),
}

/// A resolved view: where its first byte is, and how many bytes its buffer has from there and before.
#[derive(Clone, Copy)]
struct Span {
    space: Space,
    start: usize,
    bytes: usize,
    before: usize,
}

impl Span {
    /// The view from so many bytes farther on.
    fn moved(self, bytes: isize) -> Span {
        let place = |x: usize, by: isize| x.checked_add_signed(by).expect("inside of the buffer");
        let (start, before) = (place(self.start, bytes), place(self.before, bytes));
        Span { start, before, bytes: place(self.bytes, -bytes), ..self }
    }
}

impl Machine<'_> {
    fn span(&self, view: &View) -> Span {
        let buffer = &self.module.buffers[view.buffer.index()];
        let size = buffer.dtype.size();
        let counter = |counter: CounterId| self.counters[counter.index()];
        let offset = view.offset + view.terms.iter().map(|&(c, stride)| counter(c) * stride).sum::<usize>();
        assert!(offset <= buffer.len, "view {view} begins at {offset} of {}", buffer.len);
        let base = match buffer.space {
            Space::Arena(base) | Space::Local(base) => base,
            Space::Input(_) | Space::Output(_) | Space::Const(_) => 0,
        };
        let space = match buffer.space {
            Space::Arena(_) => Space::Arena(0),
            Space::Local(_) => Space::Local(0),
            space @ (Space::Input(_) | Space::Output(_) | Space::Const(_)) => space,
        };
        Span { space, start: base + offset * size, bytes: (buffer.len - offset) * size, before: offset * size }
    }

    fn scalar(&self, view: &View, dtype: DType) -> u64 {
        self.memory.read(self.span(view), 0, dtype)
    }

    fn block(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    /// A step for one block of rows.
    fn rows(&mut self, stmt: &Stmt, rows: &Rows, first: usize) {
        let end = rows.rows.min(first + rows.block);
        match stmt {
            Stmt::Launch { kernel, args } => {
                let kernel = &self.module.kernels[kernel.index()];
                let spans: Vec<Span> = args.iter().map(|view| self.span(view)).collect();
                let extent = kernel.range.extent;
                assert!(extent.is_multiple_of(rows.rows), "a range of {extent} for {} rows", rows.rows);
                let each = extent / rows.rows;
                kernel::run(kernel, &spans, first * each..end * each, &mut self.memory);
            }
            Stmt::Gemm(gemm) => {
                assert!(gemm.m.extent.is_multiple_of(rows.block) && gemm.rows() == rows.rows, "{gemm}");
                let (mut rest, row) = (first / gemm.m.extent, (first % gemm.m.extent) as isize);
                let mut offsets = [row * gemm.m.lhs, row * gemm.m.rhs, row * gemm.m.out];
                for axis in gemm.batch.iter().rev() {
                    let i = (rest % axis.extent) as isize;
                    rest /= axis.extent;
                    offsets = [offsets[0] + i * axis.lhs, offsets[1] + i * axis.rhs, offsets[2] + i * axis.out];
                }
                let mut part = gemm.clone();
                part.batch.clear();
                part.m.extent = end - first;
                let sizes = [gemm.dtype.size(), gemm.dtype.size(), gemm.out_dtype.size()];
                let views = [&gemm.lhs, &gemm.rhs, &gemm.out];
                let [lhs, rhs, out] =
                    std::array::from_fn(|i| self.span(views[i]).moved(offsets[i] * sizes[i] as isize));
                routine::gemm(&part, lhs, rhs, out, &mut self.memory);
            }
            Stmt::Copy { .. }
            | Stmt::While { .. }
            | Stmt::For { .. }
            | Stmt::Switch { .. }
            | Stmt::Print { .. }
            | Stmt::Conv(_)
            | Stmt::Transpose(_)
            | Stmt::Sort(_)
            | Stmt::TopK(_)
            | Stmt::Library(_)
            | Stmt::Rows(_) => panic!("rows consist of launches and products"),
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Launch { kernel, args } => {
                let kernel = &self.module.kernels[kernel.index()];
                let spans: Vec<Span> = args.iter().map(|view| self.span(view)).collect();
                kernel::run(kernel, &spans, 0..kernel.range.extent, &mut self.memory);
            }
            Stmt::Rows(rows) => {
                for first in (0..rows.rows).step_by(rows.block.max(1)).rev() {
                    self.memory.clear_local();
                    rows.body.iter().for_each(|stmt| self.rows(stmt, rows, first));
                }
            }
            Stmt::Copy { source, destination, len } => {
                let dtype = self.module.buffers[source.buffer.index()].dtype;
                let (from, to) = (self.span(source), self.span(destination));
                for i in 0..*len {
                    let bits = self.memory.read(from, i, dtype);
                    self.memory.write(to, i, dtype, bits);
                }
            }
            Stmt::While { condition, predicate, body } => loop {
                self.block(condition);
                if self.scalar(predicate, DType::Bool) == 0 {
                    break;
                }
                self.block(body);
            },
            Stmt::For { counter, length, reverse, body } => {
                for step in 0..*length {
                    self.counters[counter.index()] = if *reverse { length - 1 - step } else { step };
                    self.block(body);
                }
            }
            Stmt::Switch { index, branches } => {
                let dtype = self.module.buffers[index.buffer.index()].dtype;
                let bits = self.scalar(index, dtype);
                let chosen = if dtype == DType::Bool { bits as i32 } else { bits as u32 as i32 };
                self.block(&branches[(chosen.max(0) as usize).min(branches.len() - 1)]);
            }
            Stmt::Print { format, operands } => {
                let tensors: Vec<Tensor> =
                    operands.iter().map(|(view, aval)| self.memory.tensor_at(self.span(view), aval)).collect();
                (self.print)(&DebugPrint { format: format.clone() }.render(&tensors));
            }
            Stmt::Gemm(gemm) => {
                let [lhs, rhs, out] = [&gemm.lhs, &gemm.rhs, &gemm.out].map(|view| self.span(view));
                routine::gemm(gemm, lhs, rhs, out, &mut self.memory);
            }
            Stmt::Transpose(transpose) => {
                let [source, out] = [&transpose.source, &transpose.out].map(|view| self.span(view));
                routine::transpose(transpose, source, out, &mut self.memory);
            }
            Stmt::Conv(conv) => {
                let [lhs, rhs, out] = [&conv.lhs, &conv.rhs, &conv.out].map(|view| self.span(view));
                routine::conv(conv, lhs, rhs, out, &mut self.memory);
            }
            Stmt::Sort(sort) => {
                let spans: Vec<(Span, Span)> =
                    sort.operands.iter().map(|o| (self.span(&o.source), self.span(&o.destination))).collect();
                routine::sort(sort, &spans, &mut self.memory);
            }
            Stmt::Library(library) => {
                let spans = |views: &[(View, Aval)]| views.iter().map(|(view, _)| self.span(view)).collect::<Vec<_>>();
                let (operands, results) = (spans(&library.operands), spans(&library.results));
                routine::library(library, &operands, &results, &mut self.memory);
            }
            Stmt::TopK(top_k) => {
                let [source, values, indices] =
                    [&top_k.source, &top_k.values, &top_k.indices].map(|view| self.span(view));
                routine::top_k(top_k, source, values, indices, &mut self.memory);
            }
        }
    }
}
