//! From programs to kernels: fusion into nests, the loop IR (KIR) with its interpreter, lowering, and the buffer plan.
//!
//! Fusion is decided here once for all native backends. Code generators read a [`kir::Module`]: kernels (structured loops over
//! typed registers) and a host-side schedule of launches, loops and routines over planned buffers.
//!
//! This crate has no unsafe code and does no I/O.
//!
//! ```
//! use rjax_ir::{Aval, Builder, DType, Tensor, Unary};
//! use rjax_kernel::{Options, interpret, plan};
//! let mut b = Builder::new();
//! let x = b.input(Aval::new(DType::F32, [2, 3]));
//! let y = b.unary(Unary::Exp, x);
//! let total = b.reduce_sum(y, &[1]);
//! let module = plan(&b.finish(vec![total]), &Options::default()).unwrap();
//! assert_eq!(module.launches(), 1, "the exponential is computed inside the sum");
//! let sums = interpret(&module, &[Tensor::from_vec([2, 3], vec![0.0f32; 6])]);
//! assert_eq!(sums[0].to_vec::<f32>(), [3.0, 3.0]);
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod assemble;
mod fuse;
mod graph;
mod interpret;
mod join;
pub mod kir;
mod lower;
mod memory;
mod narrow;
mod nests;
mod origin;
mod products;
mod schedule;
mod shapes;

use std::borrow::Cow;

use rjax_ir::{Program, Result};

pub use interpret::{interpret, interpret_with_print};
pub use nests::nests;
pub use origin::{Origin, origins};

/// A program as a module: fused, lowered, and with a place for every array.
///
/// Fails for ops that only exist between transformations, and for control flow inside the combiner of a general reduction.
pub fn plan(program: &Program, options: &Options) -> Result<kir::Module> {
    if cfg!(debug_assertions) {
        rjax_ir::verify(program)?;
    }
    let prepared = prepared(program)?;
    let ops = graph::Ops::default();
    let graph = graph::Graph::new(&prepared, &ops)?;
    let (mut module, _) = assemble::assemble(&graph, options)?;
    module.inputs = program.in_avals();
    module.outputs = program.out_avals();
    Ok(module)
}

/// The program that is planned: without narrow types, and with products that routines have.
fn prepared(program: &Program) -> Result<Cow<'_, Program>> {
    let mut prepared = Cow::Borrowed(program);
    for pass in [narrow::on_bytes, products::of_routines] {
        if let Some(changed) = pass(&prepared)? {
            prepared = Cow::Owned(changed);
        }
    }
    Ok(prepared)
}

/// What a caller can choose.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Options {
    /// Compute values inside the kernels that use them; without it every op has a kernel of its own.
    pub fuse: bool,
    /// For each input whether its memory may be used for results. Shorter than the inputs: the others are not donated.
    pub donate: Vec<bool>,
}

impl Default for Options {
    fn default() -> Options {
        Options { fuse: true, donate: vec![] }
    }
}
