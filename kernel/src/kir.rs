//! KIR: the structured loop IR that every code generator lowers.
//!
//! A [`Module`] is one compiled program. Its `body` runs on the host side of a backend (on a CPU: in the same native
//! function) and launches [`Kernel`]s over flat buffers. A kernel is a tree of loops over SSA registers; scalar ops are
//! the rows of [`rjax_ir`]'s tables with exactly their semantics. There is no complex type: a complex array is a buffer of
//! its real type with twice the elements, real parts at even positions. `bool` is one byte, 0 or 1.
//!
//! Modules and kernels are plain data: they print, compare and hash by structure, so equal kernels are compiled once.

mod analysis;
mod cost;
mod price;
mod print;
mod rows;
mod sort;

use std::sync::Arc;

use rjax_ir::{Aval, Binary, Compare, DType, Fft, Linalg, Scalar, Tensor, Unary};

pub use rows::Rows;
pub use sort::{Sort, SortOperand, TopK};

/// A position in [`Module::buffers`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BufferId(pub u32);

/// A position in [`Module::kernels`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KernelId(pub u32);

/// The step counter of a [`Stmt::For`]; dense in `0..Module::counters`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CounterId(pub u32);

/// A register of a kernel: a position in [`Kernel::registers`]. Defined once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Reg(pub u32);

/// A position in [`Kernel::params`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ParamId(pub u32);

impl BufferId {
    /// The position in [`Module::buffers`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl KernelId {
    /// The position in [`Module::kernels`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl CounterId {
    /// The position among the counters.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Reg {
    /// The position in [`Kernel::registers`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ParamId {
    /// The position in [`Kernel::params`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A compiled program: buffers, kernels and the host-side schedule.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// The types of the program's inputs, in order.
    pub inputs: Vec<Aval>,
    /// The types of the program's outputs, in order.
    pub outputs: Vec<Aval>,
    /// For each output the buffer that holds it at the end: in [`Space::Output`] of the same position, or, where the
    /// caller donated an input and the plan uses its memory, in [`Space::Input`].
    pub results: Vec<BufferId>,
    /// All buffers. Several buffers may be views of the same memory under other dtypes.
    pub buffers: Vec<Buffer>,
    /// Constant arrays that [`Space::Const`] refers to.
    pub consts: Vec<Tensor>,
    /// Kernels, no two of them equal.
    pub kernels: Vec<Kernel>,
    /// The schedule.
    pub body: Vec<Stmt>,
    /// Bytes of the arena that temporaries live in; offsets in it are multiples of [`ALIGNMENT`].
    pub arena_bytes: usize,
    /// How many counters the schedule uses.
    pub counters: u32,
}

/// Every input, output and constant begins at a multiple of this many bytes, and so does every arena offset.
pub const ALIGNMENT: usize = 64;

/// A flat array. Buffers of inputs that were not donated and of constants are never written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Buffer {
    /// Element type; never complex.
    pub dtype: DType,
    /// Number of elements.
    pub len: usize,
    /// Where its memory is.
    pub space: Space,
}

/// Where a buffer's memory is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// The memory of an input.
    Input(u32),
    /// The memory of an output, provided by the caller; not cleared.
    Output(u32),
    /// A constant array.
    Const(u32),
    /// In the arena, at this offset in bytes. Not cleared.
    Arena(usize),
    /// Between the steps of a [`Rows`], at this offset in bytes among the arrays that exist only there.
    Local(usize),
}

/// A place in a buffer from which a kernel parameter or routine operand begins, in elements.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct View {
    /// The buffer.
    pub buffer: BufferId,
    /// Constant part of the element offset.
    pub offset: usize,
    /// Counters of enclosing [`Stmt::For`] loops, each times a stride in elements.
    pub terms: Vec<(CounterId, usize)>,
}

/// A step of the schedule. Steps run in order; there is no recursion between modules.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Stmt {
    /// Runs a kernel over its whole range with one view for each parameter that is not local.
    Launch {
        /// The kernel.
        kernel: KernelId,
        /// A view for each parameter that is not local.
        args: Vec<View>,
    },
    /// Copies elements between buffers of one dtype that do not overlap.
    Copy {
        /// From.
        source: View,
        /// To.
        destination: View,
        /// Number of elements.
        len: usize,
    },
    /// Runs `condition`; while the `bool` at `predicate` is then true, runs `body` and `condition` again.
    While {
        /// Computes the predicate.
        condition: Vec<Stmt>,
        /// One `bool`.
        predicate: View,
        /// One iteration.
        body: Vec<Stmt>,
    },
    /// Runs `body` `length` times with `counter` going from 0 up, or, in reverse, from `length - 1` down.
    For {
        /// The counter, for the views in the body.
        counter: CounterId,
        /// The number of iterations.
        length: usize,
        /// Whether the counter goes down.
        reverse: bool,
        /// One iteration.
        body: Vec<Stmt>,
    },
    /// Runs `branches[clamp(index, 0, branches.len() - 1)]`.
    Switch {
        /// One `i32`, or one `bool`.
        index: View,
        /// At least one.
        branches: Vec<Vec<Stmt>>,
    },
    /// Prints a line: `format` with `{}` for each operand.
    Print {
        /// Text with one `{}` for each operand; `{{` and `}}` stand for braces.
        format: Arc<str>,
        /// The operands and their types (which may be complex).
        operands: Vec<(View, Aval)>,
    },
    /// A matrix product by a library routine.
    Gemm(Gemm),
    /// A convolution by a library routine.
    Conv(Conv),
    /// An array in another order by a library routine.
    Transpose(Transpose),
    /// A sort by a library routine.
    Sort(Sort),
    /// The greatest elements of rows by a library routine.
    TopK(TopK),
    /// Linear algebra or Fourier transforms by a library routine.
    Library(Library),
    /// Launches and matrix products, block of rows after block of rows.
    Rows(Rows),
}

/// `out[b…, i, j] = sum over l… of lhs[b…, i, l…] * rhs[b…, l…, j]` for all batch axes b, with any strides (0 and negative
/// ones included for the operands). Operands of one floating dtype; `f16` and `bf16` multiply and accumulate in `f32`. The result is rounded to `out_dtype` once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Gemm {
    /// Dtype of both operands: `f16`, `bf16`, `f32` or `f64`.
    pub dtype: DType,
    /// Dtype of the result: that of the operands, or `f32` for `f16` and `bf16`.
    pub out_dtype: DType,
    /// Batch axes, outermost first.
    pub batch: Vec<GemmAxis>,
    /// Rows: of lhs and out (`rhs` stride is 0).
    pub m: GemmAxis,
    /// Columns: of rhs and out (`lhs` stride is 0).
    pub n: GemmAxis,
    /// The summed axis (`out` stride is 0), the innermost one.
    pub k: GemmAxis,
    /// Other summed axes, outermost first, which are not one with it in both operands.
    pub outer_k: Vec<GemmAxis>,
    /// Left operand.
    pub lhs: View,
    /// Right operand.
    pub rhs: View,
    /// Result; overlaps no operand.
    pub out: View,
    /// Adds to what is there.
    pub add: bool,
}

/// One axis of a [`Gemm`] or [`Conv`]: extent and the strides, in elements, of the three arrays along it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GemmAxis {
    /// Extent.
    pub extent: usize,
    /// Stride of the left operand.
    pub lhs: isize,
    /// Stride of the right operand.
    pub rhs: isize,
    /// Stride of the result.
    pub out: isize,
}

/// `out[b, g, o, s…] = sum over i and w… of lhs[b, g, i, p…] * rhs[g, o, i, w…]`, where along each spatial axis
/// `p * base_dilation = s * stride + w * dilation - low`. Terms for which no `p` in `0..lhs_extent` satisfies this are left out, so what
/// lies outside of the operand takes no part, not even as 0. Any strides, negative ones included for the operands. Dtypes and rounding as for [`Gemm`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Conv {
    /// Dtype of both operands: `f16`, `bf16`, `f32` or `f64`.
    pub dtype: DType,
    /// Dtype of the result: that of the operands, or `f32` for `f16` and `bf16`.
    pub out_dtype: DType,
    /// `b`, the images (`rhs` stride is 0).
    pub batch: GemmAxis,
    /// `g`, the groups that do not mix.
    pub group: GemmAxis,
    /// `i`, the summed features of a group (`out` stride is 0).
    pub input: GemmAxis,
    /// `o`, the features of a group of the result (`lhs` stride is 0).
    pub output: GemmAxis,
    /// `s`, `w` and `p`: at most [`Conv::MAX_SPATIAL`] axes.
    pub spatial: Vec<ConvAxis>,
    /// Left operand.
    pub lhs: View,
    /// Right operand.
    pub rhs: View,
    /// Result; overlaps no operand.
    pub out: View,
}

impl Conv {
    /// The most spatial axes that the routine takes.
    pub const MAX_SPATIAL: usize = 3;
}

/// One spatial axis of a [`Conv`]; strides are in elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConvAxis {
    /// Extent of the result.
    pub extent: usize,
    /// Extent of the right operand.
    pub window: usize,
    /// Extent of the left operand.
    pub lhs_extent: usize,
    /// Distance of windows.
    pub stride: usize,
    /// Distance of the elements of a window.
    pub dilation: usize,
    /// Distance of the elements of the left operand.
    pub base_dilation: usize,
    /// Padding in front of the left operand; negative removes.
    pub low: i64,
    /// Stride of the left operand.
    pub lhs: isize,
    /// Stride of the right operand.
    pub rhs: isize,
    /// Stride of the result.
    pub out: isize,
}

/// `out[i0, i1, …] = source[i0 * stride0 + i1 * stride1 + …]`, where `out` is dense and row-major.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Transpose {
    /// Dtype of both arrays; not complex.
    pub dtype: DType,
    /// The axes of the result, outermost first.
    pub axes: Vec<TransposeAxis>,
    /// Where the source begins.
    pub source: View,
    /// Result; does not overlap the source.
    pub out: View,
}

/// One axis of a [`Transpose`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransposeAxis {
    /// Extent; not 0.
    pub extent: usize,
    /// Elements of the source from one index to the next.
    pub stride: usize,
}

impl Transpose {
    /// How many elements from its begin on the source has at least.
    pub fn reach(&self) -> usize {
        1 + self.axes.iter().map(|axis| (axis.extent - 1) * axis.stride).sum::<usize>()
    }

    /// How many elements the result has.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.extent).product()
    }

    /// Whether there is nothing to do: never, as no extent is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Independent problems that a library routine solves one by one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Library {
    /// What is computed.
    pub op: LibraryOp,
    /// How many problems there are; each array holds one element of its type below for each of them.
    pub batch: usize,
    /// The operands with their types in one problem; complex views count parts.
    pub operands: Vec<(View, Aval)>,
    /// The results, which overlap no operand.
    pub results: Vec<(View, Aval)>,
}

/// The ops that are library routines with the semantics of the same ops of programs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LibraryOp {
    /// Linear algebra.
    Linalg(Linalg),
    /// A Fourier transform.
    Fft(Fft),
}

impl LibraryOp {
    /// The name of the op in programs.
    pub fn name(&self) -> &'static str {
        match self {
            LibraryOp::Linalg(op) => op.name(),
            LibraryOp::Fft(_) => "fft",
        }
    }
}

/// What kind of nest a kernel was made from; it does not change what the kernel means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Every output element by itself.
    Map,
    /// Reductions, with whatever was fused before and after them.
    Reduce,
    /// Sums of products of two operands.
    Contract,
    /// Sliding windows.
    Window,
    /// Running values along an axis, or a whole loop.
    Scan,
    /// Loads or stores at computed positions.
    GatherScatter,
}

/// Loops over registers and buffers.
///
/// A caller may split `0..range.extent` into parts and run them in any order or at the same time: all iterations of the
/// range write different elements and read none that others write.
///
/// Two parameters may be the same memory only if one is read and the other written, each by a single instruction, the load first:
/// either both at the same index in one block, or, in a kernel of extent 1, both at the same constant index.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kernel {
    /// The class of the nest.
    pub class: Class,
    /// The arrays it works on.
    pub params: Vec<Param>,
    /// The part of the parallel range to run.
    pub range: Range,
    /// The dtype of each register; indices and loop variables are `i64`.
    pub registers: Vec<DType>,
    /// What it does.
    pub body: Vec<Inst>,
}

/// An array that a kernel reads or writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Param {
    /// Element type; never complex.
    pub dtype: DType,
    /// Number of elements; all indices are below it.
    pub len: usize,
    /// How it is used.
    pub access: Access,
}

/// How a kernel uses a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Access {
    /// Only loads.
    Read,
    /// Only stores.
    Write,
    /// Loads and stores, in program order.
    ReadWrite,
    /// Memory of the kernel's own, for values that are needed again soon: every part of the range that is run has its own, with
    /// unspecified contents at the start. Local parameters come after all others, and launches give no view for them.
    Local,
}

/// The parallel range of a kernel: the caller sets `begin` and `end`, `0 <= begin <= end <= extent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    /// The whole range is `0..extent`.
    pub extent: usize,
    /// First index of the part.
    pub begin: Reg,
    /// One past the last index of the part.
    pub end: Reg,
}

/// `constant + sum of coefficient * register`, over `i64` registers; no register twice.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Index {
    /// Constant part.
    pub constant: i64,
    /// Registers and their coefficients, by register, none of them 0.
    pub terms: Vec<(Reg, i64)>,
}

/// An instruction of a kernel.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Inst {
    /// Defines a register by a pure computation.
    Let {
        /// The register.
        result: Reg,
        /// Its value.
        value: Expr,
    },
    /// Defines a register by an element of a parameter.
    Load {
        /// The register.
        result: Reg,
        /// The array.
        param: ParamId,
        /// The position; in bounds wherever the mask holds.
        index: Index,
        /// Where `condition` is false, memory is not touched and the result is `otherwise`.
        mask: Option<Mask>,
    },
    /// Writes an element of a parameter.
    Store {
        /// The array.
        param: ParamId,
        /// The position; in bounds.
        index: Index,
        /// The value.
        value: Reg,
    },
    /// An elementwise op on complex numbers that does not decompose exactly, by the same Rust function as the interpreter.
    Complex {
        /// Real part of the result.
        real: Reg,
        /// Imaginary part; none for ops with a real result.
        imag: Option<Reg>,
        /// The op.
        op: ComplexOp,
        /// `c64` or `c128`.
        dtype: DType,
        /// Real and imaginary part of each operand.
        operands: Vec<[Reg; 2]>,
    },
    /// Threefry-2x32 with 20 rounds on `u32` registers.
    Threefry {
        /// The two results.
        results: [Reg; 2],
        /// `key0, key1, count0, count1`.
        operands: [Reg; 4],
    },
    /// A counted loop.
    Loop(Loop),
    /// A branch.
    If(If),
    /// A loop with a computed condition.
    While(WhileLoop),
}

/// A condition on a load.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mask {
    /// A `bool` register.
    pub condition: Reg,
    /// The value where the condition is false.
    pub otherwise: Reg,
}

/// An elementwise op on complex numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ComplexOp {
    /// Of one operand.
    Unary(Unary),
    /// Of two operands.
    Binary(Binary),
}

/// A pure computation. Operand dtypes are those the op accepts in rjax_ir's tables, complex types aside; `f16` and `bf16` results are
/// rounded after every op.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Expr {
    /// A constant of the result's dtype.
    Const(Scalar),
    /// An affine combination of `i64` registers, as an `i64`.
    Index(Index),
    /// `register / divisor` for a register that is not negative and a positive constant.
    IndexDiv(Reg, i64),
    /// `register % divisor` for a register that is not negative and a positive constant.
    IndexRem(Reg, i64),
    /// A row of the unary table.
    Unary(Unary, Reg),
    /// A row of the binary table.
    Binary(Binary, Reg, Reg),
    /// `x * y + z`, rounded once, in `f32` or `f64`.
    Fma([Reg; 3]),
    /// `x 2^n`, rounded once, in `f32` or `f64`: of an x whose magnitude is between 1/4 and 4 and an integer n less than 1.6 times the range of
    /// exponents, so that the result may be infinite, subnormal or 0; it is NaN where x is. The operands are x, n as a float, and n as the low
    /// bits of an integer of the same width, whose others may be anything.
    Scale([Reg; 3]),
    /// `condition ? op(operand) : otherwise` in `f32` or `f64`, where the condition is hardly ever true: a generator may branch around the op.
    Rarely {
        /// A `bool` register.
        condition: Reg,
        /// A row of the unary table with a floating result.
        op: Unary,
        /// Its operand.
        operand: Reg,
        /// Result where the condition is false.
        otherwise: Reg,
    },
    /// A comparison; the result is `bool`.
    Compare(Compare, Reg, Reg),
    /// `condition ? on_true : on_false`.
    Select {
        /// A `bool` register.
        condition: Reg,
        /// Result where it is true.
        on_true: Reg,
        /// Result where it is false.
        on_false: Reg,
    },
    /// `convert_element_type` to the result's dtype.
    Convert(Reg),
    /// An `f64` without its fraction, as an integer of up to 32 bits that holds it.
    Truncate(Reg),
    /// The same bits as the result's dtype, of the same width.
    Bitcast(Reg),
    /// `reduce_precision`.
    ReducePrecision {
        /// The operand.
        operand: Reg,
        /// Exponent bits of the format.
        exponent_bits: u32,
        /// Mantissa bits of the format.
        mantissa_bits: u32,
    },
    /// `regularized_incomplete_beta(a, b, x)`.
    RegularizedIncompleteBeta([Reg; 3]),
}

/// A counted loop: `variable` goes from `begin` up to (not including) `end` in steps of 1.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Loop {
    /// The loop variable, an `i64` register.
    pub variable: Reg,
    /// First value.
    pub begin: Index,
    /// One past the last value; the body does not run where it is not above `begin`.
    pub end: Index,
    /// Values carried from one iteration to the next.
    pub carried: Vec<Carry>,
    /// What a generator may do with the iterations.
    pub order: Order,
    /// One iteration.
    pub body: Vec<Inst>,
}

/// A value carried around a loop. `register` has the value at the start of an iteration and, after the loop, the last one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Carry {
    /// The register.
    pub register: Reg,
    /// Its value before the first iteration.
    pub init: Reg,
    /// Its value for the following iteration, defined in the body (or outside of it).
    pub next: Reg,
}

/// What a generator may do with the iterations of a [`Loop`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Order {
    /// One after the other.
    Sequential,
    /// In any order, several at once: nothing is carried and no iteration reads what another writes. The body is straight-line code
    /// in which every index moves by 0 or 1 element with the variable.
    Vector,
    /// As [`Order::Vector`], but with carried values of the form `next = register op x` for `add`, `mul`, `max`, `min`, `and`, `or`
    /// or `xor`, where nothing else reads `register`: partial results may be kept in any number of lanes and combined at the end.
    VectorReduce,
    /// In any order, several at once, but the body is not straight-line or has other strides.
    Independent,
}

/// A branch with results.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct If {
    /// A `bool` register.
    pub condition: Reg,
    /// Runs where it is true.
    pub then: Vec<Inst>,
    /// Runs where it is false.
    pub otherwise: Vec<Inst>,
    /// Registers defined by the branch.
    pub results: Vec<Phi>,
}

/// A result of a branch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Phi {
    /// The register.
    pub register: Reg,
    /// Its value where the condition was true.
    pub then: Reg,
    /// Its value where the condition was false.
    pub otherwise: Reg,
}

/// Runs `condition`, and while its register is true, `body` and then `condition` again. Both see the carried registers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WhileLoop {
    /// Values carried from one iteration to the next.
    pub carried: Vec<Carry>,
    /// Computes the predicate.
    pub condition: Vec<Inst>,
    /// A `bool` register defined by `condition`.
    pub predicate: Reg,
    /// One iteration.
    pub body: Vec<Inst>,
}

impl View {
    /// The whole of a buffer.
    pub fn whole(buffer: BufferId) -> View {
        View { buffer, offset: 0, terms: vec![] }
    }
}

impl Index {
    /// A constant.
    pub fn constant(constant: i64) -> Index {
        Index { constant, terms: vec![] }
    }

    /// A register.
    pub fn reg(register: Reg) -> Index {
        Index { constant: 0, terms: vec![(register, 1)] }
    }

    /// The value, if no register takes part.
    pub fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// The register, if the index is just one.
    pub fn as_reg(&self) -> Option<Reg> {
        match self.terms[..] {
            [(register, 1)] if self.constant == 0 => Some(register),
            _ => None,
        }
    }

    /// The coefficient of a register: 0 where it does not occur.
    pub fn coefficient(&self, register: Reg) -> i64 {
        self.terms.iter().find(|&&(r, _)| r == register).map_or(0, |&(_, c)| c)
    }

    /// `self + other * factor`.
    pub fn plus(&self, other: &Index, factor: i64) -> Index {
        let mut sum = Index { constant: self.constant + other.constant * factor, terms: Vec::new() };
        let (mut left, mut right) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        loop {
            let (register, coefficient) = match (left.peek(), right.peek()) {
                (None, None) => return sum,
                (Some(&&l), None) => {
                    left.next();
                    l
                }
                (None, Some(&&(r, c))) => {
                    right.next();
                    (r, c * factor)
                }
                (Some(&&l), Some(&&r)) if l.0 < r.0 => {
                    left.next();
                    l
                }
                (Some(&&l), Some(&&r)) if l.0 > r.0 => {
                    right.next();
                    (r.0, r.1 * factor)
                }
                (Some(&&l), Some(&&r)) => {
                    left.next();
                    right.next();
                    (l.0, l.1 + r.1 * factor)
                }
            };
            if coefficient != 0 {
                sum.terms.push((register, coefficient));
            }
        }
    }

    /// `self * factor`.
    pub fn times(&self, factor: i64) -> Index {
        Index::default().plus(self, factor)
    }

    /// `self + constant`.
    pub fn offset(&self, constant: i64) -> Index {
        Index { constant: self.constant + constant, terms: self.terms.clone() }
    }
}
