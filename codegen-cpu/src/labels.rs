//! What the spans of a profile say of each step of a schedule.

use std::collections::HashMap;
use std::sync::Arc;

use rjax_ir::Aval;
use rjax_kernel::Origin;
use rjax_kernel::kir::{Conv, Gemm, KernelId, Library, Module, Stmt, View};
use rjax_runtime::profile::Label;

use crate::report::traffic;

/// How many equations and places a label names.
const NAMED: usize = 24;

/// The labels of statements, by where they are in the module.
pub(crate) type Labels = HashMap<*const Stmt, Arc<Label>>;

/// A label for each statement. `origins` are those of the same program, in the order of the schedule.
pub(crate) fn labels(module: &Module, origins: &[Origin]) -> Labels {
    let mut labeller = Labeller { module, origins: origins.iter(), labels: Labels::new() };
    labeller.block(&module.body, 1.0);
    debug_assert!(labeller.origins.next().is_none(), "there are more origins than statements");
    labeller.labels
}

/// The label of a whole call.
pub(crate) fn call_label(module: &Module) -> Label {
    let text = |avals: &[Aval]| avals.iter().map(Aval::to_string).collect::<Vec<_>>().join(" ");
    let bytes = module.inputs.iter().chain(&module.outputs).map(|aval| aval.bytes() as u64).sum();
    let notes = vec![("inputs", text(&module.inputs)), ("outputs", text(&module.outputs))];
    Label { name: "call".into(), category: "call", bytes, flops: 0, notes }
}

struct Labeller<'a> {
    module: &'a Module,
    origins: std::slice::Iter<'a, Origin>,
    labels: Labels,
}

impl Labeller<'_> {
    /// Statements of which each span is `share` of the whole statement.
    fn block(&mut self, stmts: &[Stmt], share: f64) {
        for stmt in stmts {
            let mut label = self.label(stmt);
            label.bytes = (label.bytes as f64 * share) as u64;
            label.flops = (label.flops as f64 * share) as u64;
            if !matches!(stmt, Stmt::Copy { .. }) {
                let origin = self.origins.next();
                debug_assert!(origin.is_some(), "{stmt:?} has no origin");
                origin.into_iter().for_each(|origin| describe(&mut label, origin));
            }
            self.labels.insert(stmt, Arc::new(label));
            match stmt {
                Stmt::While { condition, body, .. } => {
                    self.block(condition, share);
                    self.block(body, share);
                }
                Stmt::For { body, .. } => self.block(body, share),
                Stmt::Switch { branches, .. } => branches.iter().for_each(|branch| self.block(branch, share)),
                // A span of a step inside is of one block.
                Stmt::Rows(rows) => self.block(&rows.body, rows.block as f64 / rows.rows.max(1) as f64),
                Stmt::Launch { .. }
                | Stmt::Copy { .. }
                | Stmt::Print { .. }
                | Stmt::Gemm(_)
                | Stmt::Conv(_)
                | Stmt::Transpose(_)
                | Stmt::Sort(_)
                | Stmt::TopK(_)
                | Stmt::Library(_) => {}
            }
        }
    }

    fn label(&self, stmt: &Stmt) -> Label {
        match stmt {
            Stmt::Launch { kernel, .. } => self.launch(*kernel),
            Stmt::Copy { source, len, .. } => routine("copy".into(), 2 * self.bytes(source, *len), 0),
            Stmt::Gemm(gemm) => product(gemm),
            Stmt::Conv(conv) => convolution(conv),
            Stmt::Transpose(transpose) => {
                let bytes = 2 * (transpose.len() * transpose.dtype.size()) as u64;
                routine(format!("transpose {}", transpose.dtype), bytes, 0)
            }
            Stmt::Sort(sort) => {
                let (lines, bytes) =
                    (sort.outer * sort.inner, sort.operands.iter().map(|o| o.dtype.size()).sum::<usize>());
                let name = format!("sort {lines} lines of {}", sort.extent);
                routine(name, 2 * (lines * sort.extent * bytes) as u64, 0)
            }
            Stmt::TopK(top) => {
                let name = format!("top_k {} of {} in {} rows", top.k, top.extent, top.rows);
                let bytes = top.rows * (top.extent * top.dtype.size() + top.k * (top.dtype.size() + 4));
                routine(name, bytes as u64, 0)
            }
            Stmt::Library(library) => {
                routine(format!("{} of {}", library.op.name(), library.batch), library_bytes(library), 0)
            }
            Stmt::Print { .. } => routine("print".into(), 0, 0),
            Stmt::Rows(rows) => repeated(format!("rows {} by {}", rows.rows, rows.block)),
            Stmt::For { length, .. } => repeated(format!("for {length}")),
            Stmt::While { .. } => repeated("while".into()),
            Stmt::Switch { .. } => repeated("switch".into()),
        }
    }

    fn launch(&self, kernel: KernelId) -> Label {
        let Some(callee) = self.module.kernels.get(kernel.index()) else { return Label::default() };
        let [read, written, _] = traffic(callee);
        Label {
            name: format!("{} @{}", callee.class.name(), kernel.0),
            category: "kernel",
            bytes: (read + written) as u64,
            flops: callee.flops() as u64,
            notes: vec![],
        }
    }

    fn bytes(&self, view: &View, len: usize) -> u64 {
        self.module.buffers.get(view.buffer.index()).map_or(0, |buffer| (len * buffer.dtype.size()) as u64)
    }
}

fn describe(label: &mut Label, origin: &Origin) {
    for (name, lines) in [("equations", &origin.equations), ("source", &origin.places)] {
        let mut text = lines.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
        if lines.len() > NAMED {
            text += &format!("; {} more", lines.len() - NAMED);
        }
        if !text.is_empty() {
            label.notes.push((name, text));
        }
    }
}

fn routine(name: String, bytes: u64, flops: u64) -> Label {
    Label { name, category: "routine", bytes, flops, notes: vec![] }
}

fn repeated(name: String) -> Label {
    Label { name, category: "loop", ..Label::default() }
}

fn product(gemm: &Gemm) -> Label {
    let batch: u64 = gemm.batch.iter().map(|axis| axis.extent as u64).product();
    let [m, n, k] = [gemm.m, gemm.n, gemm.k].map(|axis| axis.extent as u64);
    let name = match batch {
        1 => format!("gemm {} {m}x{n}x{k}", gemm.dtype),
        batch => format!("gemm {} {batch} of {m}x{n}x{k}", gemm.dtype),
    };
    // Operands that are the same for the whole batch are counted once.
    let repeats = |stride: fn(&rjax_kernel::kir::GemmAxis) -> isize| -> u64 {
        gemm.batch.iter().filter(|axis| stride(axis) != 0).map(|axis| axis.extent as u64).product()
    };
    let operands = (repeats(|axis| axis.lhs) * m * k + repeats(|axis| axis.rhs) * k * n) * gemm.dtype.size() as u64;
    let results = batch * m * n * gemm.out_dtype.size() as u64 * if gemm.add { 2 } else { 1 };
    routine(name, operands + results, 2 * batch * m * n * k)
}

fn convolution(conv: &Conv) -> Label {
    let [batch, group, input, output] =
        [conv.batch, conv.group, conv.input, conv.output].map(|axis| axis.extent as u64);
    let product = |each: fn(&rjax_kernel::kir::ConvAxis) -> usize| -> u64 {
        conv.spatial.iter().map(|axis| each(axis) as u64).product()
    };
    let (places, window, read) =
        (product(|axis| axis.extent), product(|axis| axis.window), product(|axis| axis.lhs_extent));
    let operands = batch * group * input * read + group * output * input * window;
    let results = batch * group * output * places;
    let name = format!("conv {} {batch} images, {} to {} features", conv.dtype, group * input, group * output);
    let bytes = operands * conv.dtype.size() as u64 + results * conv.out_dtype.size() as u64;
    routine(name, bytes, 2 * results * input * window)
}

fn library_bytes(library: &Library) -> u64 {
    let arrays = library.operands.iter().chain(&library.results);
    library.batch as u64 * arrays.map(|(_, aval): &(View, Aval)| aval.bytes() as u64).sum::<u64>()
}
