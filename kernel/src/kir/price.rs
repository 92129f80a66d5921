//! How long a module takes, roughly: enough to say which of several programs that compute the same is the cheapest.
//!
//! In integer nanoseconds of one core, so that sums are exact and the order is total. Kernels are priced by their
//! instructions, routines by their work or their traffic, whichever takes longer.

use super::{Conv, Gemm, Library, Module, Stmt, View};
use rjax_ir::{Aval, DType};

/// Bytes that memory gives in a nanosecond.
const BYTES: u64 = 12;
/// Operations of a matrix product in a nanosecond, for elements of four bytes.
const FLOPS: u64 = 48;
/// What it takes to begin anything.
const START: u64 = 100;
/// Iterations of a loop of which nobody knows the number.
const UNKNOWN: u64 = 16;

impl Module {
    /// Nanoseconds that the program takes.
    pub fn nanoseconds(&self) -> u64 {
        self.nanoseconds_of(&self.body)
    }

    /// Nanoseconds that some of its statements take on one thread.
    pub fn nanoseconds_of(&self, stmts: &[Stmt]) -> u64 {
        stmts.iter().map(|stmt| self.stmt(stmt)).fold(0, u64::saturating_add)
    }

    fn stmt(&self, stmt: &Stmt) -> u64 {
        match stmt {
            Stmt::Launch { kernel, .. } => {
                // A float beyond the range becomes the greatest integer.
                START.saturating_add(self.kernels[kernel.0 as usize].nanoseconds() as u64)
            }
            Stmt::Copy { source, len, .. } => START + 2 * self.bytes(source, *len) / BYTES,
            Stmt::While { condition, body, .. } => {
                UNKNOWN.saturating_mul(self.nanoseconds_of(condition).saturating_add(self.nanoseconds_of(body)))
            }
            // Each launch and product of the body is that of all rows.
            Stmt::Rows(rows) => self.nanoseconds_of(&rows.body),
            Stmt::For { length, body, .. } => (*length as u64).saturating_mul(self.nanoseconds_of(body)),
            Stmt::Switch { branches, .. } => {
                branches.iter().map(|branch| self.nanoseconds_of(branch)).max().unwrap_or(0)
            }
            Stmt::Print { .. } => START,
            Stmt::Gemm(gemm) => START + product(gemm),
            Stmt::Conv(conv) => START + convolution(conv),
            Stmt::Transpose(transpose) => START + 3 * (transpose.len() * transpose.dtype.size()) as u64 / BYTES,
            Stmt::Sort(sort) => START + sorting(sort.outer * sort.inner, sort.extent) * sort.operands.len() as u64,
            Stmt::TopK(top) => START + sorting(top.rows, top.extent),
            Stmt::Library(library) => START + routine(library),
        }
    }

    fn bytes(&self, view: &View, len: usize) -> u64 {
        (len * self.buffers[view.buffer.0 as usize].dtype.size()) as u64
    }
}

/// The longer of working and reading.
fn work(flops: u64, bytes: u64, dtype: DType) -> u64 {
    (flops.saturating_mul(dtype.size() as u64) / (4 * FLOPS)).max(bytes / BYTES)
}

fn product(gemm: &Gemm) -> u64 {
    let batch: u64 = gemm.batch.iter().map(|axis| axis.extent as u64).product();
    let [m, n, k] = [gemm.m, gemm.n, gemm.k].map(|axis| axis.extent as u64);
    let k = k * gemm.outer_k.iter().map(|axis| axis.extent as u64).product::<u64>();
    let bytes = batch * (m * k + k * n + m * n) * gemm.dtype.size() as u64;
    work(batch.saturating_mul(2 * m * n).saturating_mul(k), bytes, gemm.dtype)
}

fn convolution(conv: &Conv) -> u64 {
    let [batch, group, input, output] =
        [conv.batch, conv.group, conv.input, conv.output].map(|axis| axis.extent as u64);
    let places: u64 = conv.spatial.iter().map(|axis| axis.extent as u64).product();
    let window: u64 = conv.spatial.iter().map(|axis| axis.window as u64).product();
    let results = batch.saturating_mul(group).saturating_mul(output).saturating_mul(places);
    work(results.saturating_mul(2 * input).saturating_mul(window), results * conv.dtype.size() as u64, conv.dtype)
}

fn sorting(rows: usize, extent: usize) -> u64 {
    rows as u64 * extent as u64 * u64::from(extent.max(2).ilog2()) * 2
}

/// A factorisation is a multiple of n³, a transform less.
fn routine(library: &Library) -> u64 {
    let of = |aval: &Aval| aval.size() as u64 * aval.shape.last().map_or(1, |&extent| extent as u64);
    library.operands.iter().map(|(_, aval)| of(aval)).fold(0, u64::saturating_add)
}
