//! The closed set of ops.
//!
//! Every op is here: elementwise ops as rows of the tables below (name, accepted dtypes, semantics, meaning), structured
//! ops as variants of [`Op`] with their parameters in the file of the same name. Passes match on [`Op`] without a wildcard,
//! so the compiler lists what a new op needs.
//!
//! ```
//! use rjax_ir::{DType, Unary};
//! assert_eq!(Unary::Sin.name(), "sin");
//! assert!(Unary::Sin.accepts().contains(DType::BF16));
//! ```

mod arg_reduce;
mod binary;
pub(crate) mod bitcast;
pub(crate) mod broadcast_in_dim;
pub(crate) mod call;
pub(crate) mod clamp;
mod collective;
mod compare;
pub(crate) mod concatenate;
pub(crate) mod cond;
mod conv;
pub(crate) mod convert;
mod cumulative;
mod custom_jvp;
mod custom_linear;
mod custom_vjp;
mod debug_print;
mod dot_general;
pub(crate) mod dynamic_slice;
pub(crate) mod dynamic_update_slice;
mod elementwise;
mod fft;
pub(crate) mod gather;
pub(crate) mod identity;
pub(crate) mod integer_pow;
pub(crate) mod iota;
mod linalg;
mod linear_solve;
mod numeric;
pub(crate) mod pad;
pub(crate) mod reduce;
pub(crate) mod reduce_precision;
pub(crate) mod reduce_window;
pub(crate) mod regularized_incomplete_beta;
mod remat;
pub(crate) mod reshape;
pub(crate) mod reverse;
mod root;
pub(crate) mod scan;
mod scatter;
pub(crate) mod select;
mod select_and_gather_add;
mod select_and_scatter_add;
mod slice;
mod sort;
pub(crate) mod threefry2x32;
pub(crate) mod top_k;
pub(crate) mod transpose;
mod unary;
mod while_loop;

use std::sync::Arc;

pub use arg_reduce::ArgReduce;
pub use collective::Collective;
pub use conv::Conv;
pub use cumulative::{Cumulative, CumulativeKind};
pub use custom_jvp::CustomJvp;
pub use custom_linear::CustomLinear;
pub use custom_vjp::CustomVjp;
pub use debug_print::DebugPrint;
pub use dot_general::{DotGeneral, Precision};
pub use elementwise::ScalarSemantics;
pub use fft::{Fft, FftKind};
pub use gather::{Gather, IndexMode};
pub use linalg::Linalg;
pub use linear_solve::LinearSolve;
pub use pad::PadDim;
pub use reduce_window::Window;
pub use remat::{Remat, RematPolicy};
pub use root::Root;
pub use scan::Scan;
pub use scatter::{Combiner, Scatter};
pub use select_and_gather_add::SelectAndGatherAdd;
pub use select_and_scatter_add::SelectAndScatterAdd;
pub use slice::Slice;
pub use sort::Sort;
pub use while_loop::While;

use crate::{DType, DTypeSet, Program, Shape};

macro_rules! elementwise_table {
    ($(#[$meta:meta])* $Table:ident, $arity:literal, { $($variant:ident $name:literal $accepts:ident => $semantics:expr, $doc:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum $Table {
            $(#[doc = $doc] $variant,)*
        }

        impl $Table {
            /// All rows of the table.
            pub const ALL: &'static [$Table] = &[$($Table::$variant,)*];

            /// JAX's name for the op, which the text form uses.
            pub const fn name(self) -> &'static str {
                match self { $($Table::$variant => $name,)* }
            }

            /// The dtypes it accepts.
            pub const fn accepts(self) -> DTypeSet {
                match self { $($Table::$variant => DTypeSet::$accepts,)* }
            }

            /// One line saying what it computes.
            pub const fn doc(self) -> &'static str {
                match self { $($Table::$variant => $doc,)* }
            }

            /// The op with this name.
            pub fn parse(name: &str) -> Option<$Table> {
                $Table::ALL.iter().copied().find(|op| op.name() == name)
            }

            /// The scalar semantics, for element types the op accepts and whose result has the same type.
            pub fn eval<T: ScalarSemantics>(self, operands: [T; $arity]) -> T {
                fn apply<A, T>(operands: A, semantics: impl FnOnce(A) -> T) -> T {
                    semantics(operands)
                }
                match self { $($Table::$variant => apply(operands, $semantics),)* }
            }
        }
    };
}

elementwise_table! {
    /// Elementwise ops of one operand. The result has the operand's dtype, except: `abs` of a complex number, `real` and
    /// `imag` give the real type, `is_finite` gives `bool`.
    Unary, 1, {
        // variant     name            accepts        semantics            meaning
        Neg            "neg"           NUMBER      => |[x]| x.neg(),            "Negation; integers wrap.";
        Sign           "sign"          NUMBER      => |[x]| x.sign(),           "-1, 0 or 1; keeps the sign of zero and NaN; complex: x/|x|, 0 at 0.";
        Abs            "abs"           NUMBER      => |[x]| x.abs(),            "Absolute value; the least signed integer maps to itself; complex: modulus.";
        Floor          "floor"         FLOAT       => |[x]| x.floor(),          "Largest integer not above.";
        Ceil           "ceil"          FLOAT       => |[x]| x.ceil(),           "Smallest integer not below.";
        Round          "round"         FLOAT       => |[x]| x.round_half_away(), "Nearest integer, ties away from zero.";
        RoundEven      "round_even"    FLOAT       => |[x]| x.round_half_even(), "Nearest integer, ties to even.";
        IsFinite       "is_finite"     FLOAT       => |[x]| x.not_same_type("is_finite"), "Whether neither NaN nor infinite; bool.";
        Not            "not"           BITS        => |[x]| x.not(),            "Bitwise complement; logical for bool.";
        PopulationCount "population_count" INTEGER => |[x]| x.population_count(), "Number of one bits.";
        Clz            "clz"           INTEGER     => |[x]| x.clz(),            "Number of leading zero bits.";
        Exp            "exp"           INEXACT     => |[x]| x.exp(),            "e to the power x.";
        Exp2           "exp2"          INEXACT     => |[x]| x.exp2(),           "2 to the power x.";
        Expm1          "expm1"         INEXACT     => |[x]| x.expm1(),          "exp(x) - 1, accurate near 0.";
        Log            "log"           INEXACT     => |[x]| x.log(),            "Natural logarithm; complex: principal branch.";
        Log1p          "log1p"         INEXACT     => |[x]| x.log1p(),          "log(1 + x), accurate near 0.";
        Logistic       "logistic"      INEXACT     => |[x]| x.logistic(),       "1 / (1 + exp(-x)).";
        Sqrt           "sqrt"          INEXACT     => |[x]| x.sqrt(),           "Square root; NaN below zero; complex: principal branch.";
        Rsqrt          "rsqrt"         INEXACT     => |[x]| x.rsqrt(),          "1 / sqrt(x).";
        Cbrt           "cbrt"          FLOAT       => |[x]| x.cbrt(),           "Cube root.";
        Sin            "sin"           INEXACT     => |[x]| x.sin(),            "Sine, radians.";
        Cos            "cos"           INEXACT     => |[x]| x.cos(),            "Cosine, radians.";
        Tan            "tan"           INEXACT     => |[x]| x.tan(),            "Tangent, radians.";
        Sinh           "sinh"          INEXACT     => |[x]| x.sinh(),           "Hyperbolic sine.";
        Cosh           "cosh"          INEXACT     => |[x]| x.cosh(),           "Hyperbolic cosine.";
        Tanh           "tanh"          INEXACT     => |[x]| x.tanh(),           "Hyperbolic tangent.";
        Asin           "asin"          INEXACT     => |[x]| x.asin(),           "Inverse sine.";
        Acos           "acos"          INEXACT     => |[x]| x.acos(),           "Inverse cosine.";
        Atan           "atan"          INEXACT     => |[x]| x.atan(),           "Inverse tangent.";
        Asinh          "asinh"         INEXACT     => |[x]| x.asinh(),          "Inverse hyperbolic sine.";
        Acosh          "acosh"         INEXACT     => |[x]| x.acosh(),          "Inverse hyperbolic cosine.";
        Atanh          "atanh"         INEXACT     => |[x]| x.atanh(),          "Inverse hyperbolic tangent.";
        Erf            "erf"           FLOAT       => |[x]| x.erf(),            "Error function.";
        Erfc           "erfc"          FLOAT       => |[x]| x.erfc(),           "1 - erf(x), accurate for large x.";
        ErfInv         "erf_inv"       FLOAT       => |[x]| x.erf_inv(),        "Inverse error function.";
        Lgamma         "lgamma"        FLOAT       => |[x]| x.lgamma(),         "Logarithm of the absolute value of the gamma function.";
        Digamma        "digamma"       FLOAT       => |[x]| x.digamma(),        "Derivative of lgamma.";
        BesselI0e      "bessel_i0e"    FLOAT       => |[x]| x.bessel_i0e(),     "exp(-|x|) I0(x), modified Bessel function of order 0.";
        BesselI1e      "bessel_i1e"    FLOAT       => |[x]| x.bessel_i1e(),     "exp(-|x|) I1(x), modified Bessel function of order 1.";
        Real           "real"          COMPLEX     => |[x]| x.not_same_type("real"), "Real part.";
        Imag           "imag"          COMPLEX     => |[x]| x.not_same_type("imag"), "Imaginary part.";
        Conj           "conj"          COMPLEX     => |[x]| x.conj(),           "Complex conjugate.";
    }
}

elementwise_table! {
    /// Elementwise ops of two operands of one dtype and one shape. The result has the operands' dtype, except that
    /// `complex` gives the complex type of its real operands.
    Binary, 2, {
        // variant     name            accepts        semantics                  meaning
        Add            "add"           ANY         => |[x, y]| x.add(y),     "Sum; integers wrap; bool: or.";
        Sub            "sub"           NUMBER      => |[x, y]| x.sub(y),     "Difference; integers wrap.";
        Mul            "mul"           ANY         => |[x, y]| x.mul(y),     "Product; integers wrap; bool: and.";
        Div            "div"           NUMBER      => |[x, y]| x.div(y),     "Quotient; integers truncate, x/0 has all bits set, MIN/-1 = MIN.";
        Rem            "rem"           REAL        => |[x, y]| x.rem(y),     "Remainder with the sign of the dividend; integers: x rem 0 = x.";
        Pow            "pow"           INEXACT     => |[x, y]| x.pow(y),     "x to the power y.";
        Atan2          "atan2"         INEXACT     => |[x, y]| x.atan2(y),   "Angle of the point (y, x): atan of x/y in the right quadrant.";
        Max            "max"           ANY         => |[x, y]| x.max(y),     "Greater operand; NaN wins; max(-0, 0) = 0; complex: lexicographic.";
        Min            "min"           ANY         => |[x, y]| x.min(y),     "Lesser operand; NaN wins; min(-0, 0) = -0; complex: lexicographic.";
        And            "and"           BITS        => |[x, y]| x.and(y),     "Bitwise and; logical for bool.";
        Or             "or"            BITS        => |[x, y]| x.or(y),      "Bitwise or; logical for bool.";
        Xor            "xor"           BITS        => |[x, y]| x.xor(y),     "Bitwise exclusive or; logical for bool.";
        ShiftLeft      "shift_left"    INTEGER     => |[x, y]| x.shift_left(y), "Shift left; 0 where y is not below the width.";
        ShiftRightArithmetic "shift_right_arithmetic" INTEGER => |[x, y]| x.shift_right_arithmetic(y), "Shift right filling with the sign bit.";
        ShiftRightLogical "shift_right_logical" INTEGER => |[x, y]| x.shift_right_logical(y), "Shift right filling with zeros; 0 where y is not below the width.";
        NextAfter      "nextafter"     FLOAT       => |[x, y]| x.nextafter(y), "Next representable value after x towards y.";
        Complex        "complex"       COMPLEX_PART => |[x, _y]| x.not_same_type("complex"), "Complex number from real and imaginary part.";
        Igamma         "igamma"        FLOAT       => |[x, y]| x.igamma(y),  "Regularised lower incomplete gamma function P(x, y).";
        Igammac        "igammac"       FLOAT       => |[x, y]| x.igammac(y), "Regularised upper incomplete gamma function Q(x, y).";
        IgammaGradA    "igamma_grad_a" FLOAT       => |[x, y]| x.igamma_grad_a(y), "Derivative of igamma in its first argument.";
        Polygamma      "polygamma"     FLOAT       => |[x, y]| x.polygamma(y), "Derivative of order x of digamma at y.";
        Zeta           "zeta"          FLOAT       => |[x, y]| x.zeta(y),    "Hurwitz zeta function.";
    }
}

/// Elementwise comparisons; the result is `bool`. The `…_to` forms use the total order of IEEE 754 on floats, in which
/// -NaN < -inf < -0 < 0 < inf < NaN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Compare {
    /// Equal; false for NaN.
    Eq,
    /// Not equal; true for NaN.
    Ne,
    /// Less than.
    Lt,
    /// Less or equal.
    Le,
    /// Greater than.
    Gt,
    /// Greater or equal.
    Ge,
    /// Equal in the total order.
    EqTo,
    /// Less than in the total order.
    LtTo,
    /// Less or equal in the total order.
    LeTo,
}

impl Compare {
    /// All comparisons.
    pub const ALL: &'static [Compare] = &[
        Compare::Eq,
        Compare::Ne,
        Compare::Lt,
        Compare::Le,
        Compare::Gt,
        Compare::Ge,
        Compare::EqTo,
        Compare::LtTo,
        Compare::LeTo,
    ];

    /// JAX's name.
    pub const fn name(self) -> &'static str {
        match self {
            Compare::Eq => "eq",
            Compare::Ne => "ne",
            Compare::Lt => "lt",
            Compare::Le => "le",
            Compare::Gt => "gt",
            Compare::Ge => "ge",
            Compare::EqTo => "eq_to",
            Compare::LtTo => "lt_to",
            Compare::LeTo => "le_to",
        }
    }

    /// One line saying what it computes.
    pub const fn doc(self) -> &'static str {
        match self {
            Compare::Eq => "Whether equal; false for NaN.",
            Compare::Ne => "Whether not equal; true for NaN.",
            Compare::Lt => "Whether less.",
            Compare::Le => "Whether less or equal.",
            Compare::Gt => "Whether greater.",
            Compare::Ge => "Whether greater or equal.",
            Compare::EqTo => "Whether equal in the total order.",
            Compare::LtTo => "Whether less in the total order, -NaN < -inf < -0 < 0 < inf < NaN.",
            Compare::LeTo => "Whether less or equal in the total order.",
        }
    }

    /// The dtypes it accepts: complex numbers only for `eq`, `ne` and `eq_to`.
    pub const fn accepts(self) -> DTypeSet {
        match self {
            Compare::Eq | Compare::Ne | Compare::EqTo => DTypeSet::ANY,
            Compare::Lt | Compare::Le | Compare::Gt | Compare::Ge | Compare::LtTo | Compare::LeTo => DTypeSet::ORDERED,
        }
    }
}

/// The combiners of reductions, windows and cumulative ops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Reducer {
    /// Sum; `bool`: or.
    Sum,
    /// Product; `bool`: and.
    Prod,
    /// Maximum; NaN wins.
    Max,
    /// Minimum; NaN wins.
    Min,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
}

impl Reducer {
    /// All reducers.
    pub const ALL: &'static [Reducer] =
        &[Reducer::Sum, Reducer::Prod, Reducer::Max, Reducer::Min, Reducer::And, Reducer::Or, Reducer::Xor];

    /// The suffix of JAX's names: `sum` in `reduce_sum`, `cumsum`, `reduce_window_sum`.
    pub const fn name(self) -> &'static str {
        match self {
            Reducer::Sum => "sum",
            Reducer::Prod => "prod",
            Reducer::Max => "max",
            Reducer::Min => "min",
            Reducer::And => "and",
            Reducer::Or => "or",
            Reducer::Xor => "xor",
        }
    }

    /// The binary op that combines two values.
    pub const fn binary(self) -> Binary {
        match self {
            Reducer::Sum => Binary::Add,
            Reducer::Prod => Binary::Mul,
            Reducer::Max => Binary::Max,
            Reducer::Min => Binary::Min,
            Reducer::And => Binary::And,
            Reducer::Or => Binary::Or,
            Reducer::Xor => Binary::Xor,
        }
    }

    /// The dtypes it accepts.
    pub const fn accepts(self) -> DTypeSet {
        self.binary().accepts()
    }

    /// The value that leaves every other unchanged; for complex `max` and `min` the pair of (negative) infinities.
    pub fn identity(self, dtype: DType) -> crate::Scalar {
        use crate::Scalar;
        let infinite = |sign: f64| {
            with_element!(dtype, T => {
                Scalar::new(<T as crate::Element>::from_c128(crate::Complex128::new(sign * f64::INFINITY, sign * f64::INFINITY)))
            })
        };
        match self {
            Reducer::Sum | Reducer::Or | Reducer::Xor => Scalar::zero(dtype),
            Reducer::Prod => Scalar::one(dtype),
            Reducer::Max if dtype.is_complex() => infinite(-1.0),
            Reducer::Max => Scalar::least(dtype),
            Reducer::Min if dtype.is_complex() => infinite(1.0),
            Reducer::Min => Scalar::greatest(dtype),
            Reducer::And if dtype == DType::Bool => Scalar::one(dtype),
            Reducer::And => Scalar::from_i64(dtype, -1),
        }
    }
}

/// An operation with its static parameters. Operands come first to last as each variant's comment names them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// `(x) -> y`, elementwise.
    Unary(Unary),
    /// `(x, y) -> z`, elementwise.
    Binary(Binary),
    /// `(x, y) -> bool`, elementwise.
    Compare(Compare),
    /// `select_n`: `(which, case0, case1, …) -> y`. `which` is `bool` (two cases; false picks case 0) or `i32` (clamped), a
    /// scalar or of the cases' shape.
    Select,
    /// `(min, x, max) -> y`: `min` and `max` are scalars or of x's shape. `minimum(maximum(x, min), max)`.
    Clamp,
    /// `(a, b, x) -> y`: the regularised incomplete beta function, elementwise.
    RegularizedIncompleteBeta,
    /// `convert_element_type`: float to integer truncates and saturates, NaN gives 0; integer to narrower integer wraps; to
    /// `bool` is `!= 0`; complex to real drops the imaginary part; float to narrower float rounds to nearest even.
    Convert {
        /// The dtype of the result.
        dtype: DType,
    },
    /// `bitcast_convert_type`: the same bits as another type. Between widths an innermost axis of the ratio is added or removed.
    Bitcast {
        /// The dtype of the result; neither side is complex, `bool` only to `bool`.
        dtype: DType,
    },
    /// Rounds to a float format with fewer exponent and mantissa bits; the dtype stays.
    ReducePrecision {
        /// Exponent bits of the format, at least 1.
        exponent_bits: u32,
        /// Mantissa bits of the format.
        mantissa_bits: u32,
    },
    /// `(x) -> x^exponent` by repeated multiplication; a negative exponent divides 1 by the positive power.
    IntegerPow {
        /// The exponent; must not be negative for integers.
        exponent: i32,
    },
    /// The same value with a zero derivative.
    StopGradient,
    /// `checkpoint_name`: the same value under a name that a remat policy can refer to.
    Name {
        /// The name.
        name: Arc<str>,
    },
    /// `(x…) -> (x…)`: the same values; nothing moves across.
    OptimizationBarrier,
    /// `(x) -> y` of `shape`: axis i of x becomes axis `dims[i]`, where an extent of 1 is repeated.
    BroadcastInDim {
        /// The result's shape.
        shape: Shape,
        /// For each axis of the operand its axis in the result; strictly increasing.
        dims: Vec<usize>,
    },
    /// The same elements in row-major order under another shape.
    Reshape {
        /// The result's shape.
        shape: Shape,
    },
    /// Axis i of the result is axis `permutation[i]` of the operand.
    Transpose {
        /// A permutation of the operand's axes.
        permutation: Vec<usize>,
    },
    /// A strided window with static bounds.
    Slice(Slice),
    /// `(x, padding_value) -> y`: adds (or, where negative, removes) at both edges and puts values between elements.
    Pad {
        /// For each axis low, high and interior padding.
        padding: Vec<PadDim>,
    },
    /// `(x…) -> y`: one after the other along an axis.
    Concatenate {
        /// The axis.
        axis: usize,
    },
    /// `rev`: reversed along some axes.
    Reverse {
        /// The axes.
        axes: Vec<usize>,
    },
    /// `() -> y`: 0, 1, 2, … along an axis.
    Iota {
        /// Dtype, not `bool`.
        dtype: DType,
        /// Shape.
        shape: Shape,
        /// The axis that counts.
        axis: usize,
    },
    /// `(x, start…) -> y`: one integer scalar start for each axis, clamped so that the window fits.
    DynamicSlice {
        /// The window's extents.
        sizes: Shape,
    },
    /// `(x, update, start…) -> y`: x with a window replaced; starts as in `dynamic_slice`.
    DynamicUpdateSlice,
    /// `(x, indices) -> y`.
    Gather(Gather),
    /// `(x, indices, updates) -> y`.
    Scatter(Scatter),
    /// `reduce_sum` and so on: `(x) -> y` without the reduced axes. Reductions of `f16` and `bf16` work in `f32` and round once;
    /// the order of sums is free.
    Reduce {
        /// The combiner.
        reducer: Reducer,
        /// The axes that go away; strictly increasing.
        axes: Vec<usize>,
    },
    /// `reduce`: `(x…, init…) -> y…` with a combining program `(acc…, value…) -> acc…` on scalars, which should be
    /// associative; the order of application is row-major from `init`.
    GeneralReduce {
        /// The combiner.
        body: Arc<Program>,
        /// The axes that go away; strictly increasing.
        axes: Vec<usize>,
    },
    /// `argmax`, `argmin`.
    ArgReduce(ArgReduce),
    /// `cumsum`, `cumprod`, `cummax`, `cummin`, `cumlogsumexp`.
    Cumulative(Cumulative),
    /// `(lhs, rhs) -> y`: batch axes, then lhs free axes, then rhs free axes.
    DotGeneral(DotGeneral),
    /// `conv_general_dilated`: `(lhs, rhs) -> y`.
    Conv(Conv),
    /// `reduce_window_sum` and so on: `(x) -> y`; positions outside x count as the identity. Rounded as reductions are.
    ReduceWindow {
        /// The combiner.
        reducer: Reducer,
        /// The window.
        window: Window,
    },
    /// `reduce_window`: `(x…, init…) -> y…` with a combining program as in `reduce`; positions outside x take no part.
    GeneralReduceWindow {
        /// The combiner.
        body: Arc<Program>,
        /// The window.
        window: Window,
    },
    /// `(source, operand) -> y`: the transpose of max/min pooling.
    SelectAndScatterAdd(SelectAndScatterAdd),
    /// `(tangents, operand) -> y`: the derivative of max/min pooling.
    SelectAndGatherAdd(SelectAndGatherAdd),
    /// `(x…) -> y…`: sorts all operands by the first `num_keys` of them.
    Sort(Sort),
    /// `(x) -> (values, indices: i32)`: the k greatest along the last axis in the total order, in which -NaN is least and NaN
    /// greatest; greatest first, ties by lower index.
    TopK {
        /// How many.
        k: usize,
    },
    /// `cholesky`, `lu`, `eigh` and so on: linear algebra on the last two axes.
    Linalg(Linalg),
    /// `fft`: `(x) -> y`.
    Fft(Fft),
    /// `threefry2x32`: `(key0, key1, count0, count1) -> (bits0, bits1)`, all `u32`, elementwise: 20 rounds of Threefry-2x32
    /// (Salmon et al., SC 2011).
    Threefry2x32,
    /// `(index: i32, operands…) -> outputs…`: runs `branches[clamp(index)]` on the operands.
    Cond {
        /// At least one; all with the same signature.
        branches: Vec<Arc<Program>>,
    },
    /// `(cond_consts…, body_consts…, carry…) -> carry…`.
    While(While),
    /// `(consts…, carry…, xs…) -> (carry…, ys…)`.
    Scan(Scan),
    /// `jit`: a call of a named program, compiled where it stands.
    Call {
        /// A name for people.
        name: Arc<str>,
        /// The program.
        program: Arc<Program>,
    },
    /// `custom_jvp_call`.
    CustomJvp(CustomJvp),
    /// `custom_vjp_call`.
    CustomVjp(CustomVjp),
    /// `custom_lin`: the tangents of a `custom_vjp_call`; only transposition can remove it, and it cannot be evaluated.
    CustomLinear(CustomLinear),
    /// `custom_linear_solve`: the solution of linear equations by a method that is not differentiated.
    LinearSolve(LinearSolve),
    /// `custom_root`: the root of a function by a method that is not differentiated.
    Root(Root),
    /// `checkpoint`: a call whose inner values are recomputed in the backward pass.
    Remat(Remat),
    /// `(x…) -> ()`: prints when the program runs.
    DebugPrint(DebugPrint),
    /// `psum`, `pmax`, `pmin`, `axis_index` and friends: communication along named axes.
    Collective(Collective),
}

impl Op {
    /// JAX's name of the primitive, which the text form uses.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Unary(op) => op.name(),
            Op::Binary(op) => op.name(),
            Op::Compare(op) => op.name(),
            Op::Select => "select_n",
            Op::Clamp => "clamp",
            Op::RegularizedIncompleteBeta => "regularized_incomplete_beta",
            Op::Convert { .. } => "convert_element_type",
            Op::Bitcast { .. } => "bitcast_convert_type",
            Op::ReducePrecision { .. } => "reduce_precision",
            Op::IntegerPow { .. } => "integer_pow",
            Op::StopGradient => "stop_gradient",
            Op::Name { .. } => "name",
            Op::OptimizationBarrier => "optimization_barrier",
            Op::BroadcastInDim { .. } => "broadcast_in_dim",
            Op::Reshape { .. } => "reshape",
            Op::Transpose { .. } => "transpose",
            Op::Slice(_) => "slice",
            Op::Pad { .. } => "pad",
            Op::Concatenate { .. } => "concatenate",
            Op::Reverse { .. } => "rev",
            Op::Iota { .. } => "iota",
            Op::DynamicSlice { .. } => "dynamic_slice",
            Op::DynamicUpdateSlice => "dynamic_update_slice",
            Op::Gather(_) => "gather",
            Op::Scatter(scatter) => scatter.name(),
            Op::Reduce { reducer, .. } => match reducer {
                Reducer::Sum => "reduce_sum",
                Reducer::Prod => "reduce_prod",
                Reducer::Max => "reduce_max",
                Reducer::Min => "reduce_min",
                Reducer::And => "reduce_and",
                Reducer::Or => "reduce_or",
                Reducer::Xor => "reduce_xor",
            },
            Op::GeneralReduce { .. } => "reduce",
            Op::ArgReduce(arg) => arg.name(),
            Op::Cumulative(cumulative) => cumulative.name(),
            Op::DotGeneral(_) => "dot_general",
            Op::Conv(_) => "conv_general_dilated",
            Op::ReduceWindow { reducer, .. } => match reducer {
                Reducer::Sum => "reduce_window_sum",
                Reducer::Prod => "reduce_window_prod",
                Reducer::Max => "reduce_window_max",
                Reducer::Min => "reduce_window_min",
                Reducer::And => "reduce_window_and",
                Reducer::Or => "reduce_window_or",
                Reducer::Xor => "reduce_window_xor",
            },
            Op::GeneralReduceWindow { .. } => "reduce_window",
            Op::SelectAndScatterAdd(_) => "select_and_scatter_add",
            Op::SelectAndGatherAdd(_) => "select_and_gather_add",
            Op::Sort(_) => "sort",
            Op::TopK { .. } => "top_k",
            Op::Linalg(linalg) => linalg.name(),
            Op::Fft(_) => "fft",
            Op::Threefry2x32 => "threefry2x32",
            Op::Cond { .. } => "cond",
            Op::While(_) => "while",
            Op::Scan(_) => "scan",
            Op::Call { .. } => "jit",
            Op::CustomJvp(_) => "custom_jvp_call",
            Op::CustomVjp(_) => "custom_vjp_call",
            Op::CustomLinear(_) => "custom_lin",
            Op::LinearSolve(_) => "custom_linear_solve",
            Op::Root(_) => "custom_root",
            Op::Remat(_) => "checkpoint",
            Op::DebugPrint(_) => "debug_print",
            Op::Collective(collective) => collective.name(),
        }
    }

    /// Whether running the op can be seen from outside, so that it is kept, in order, though nobody uses its results.
    pub fn has_effect(&self) -> bool {
        matches!(self, Op::DebugPrint(_)) || self.subprograms().iter().any(|p| p.has_effect())
    }

    /// The programs among the parameters, in a fixed order.
    pub fn subprograms(&self) -> Vec<&Arc<Program>> {
        match self {
            Op::GeneralReduce { body, .. } | Op::GeneralReduceWindow { body, .. } => vec![body],
            Op::Cond { branches } => branches.iter().collect(),
            Op::While(While { cond, body, .. }) => vec![cond, body],
            Op::Scan(Scan { body, .. }) => vec![body],
            Op::Call { program, .. } => vec![program],
            Op::CustomJvp(CustomJvp { call, jvp, .. }) => vec![call, jvp],
            Op::CustomVjp(CustomVjp { call, fwd, bwd, .. }) => vec![call, fwd, bwd],
            Op::CustomLinear(CustomLinear { bwd, .. }) => vec![bwd],
            Op::LinearSolve(op) => [&op.matvec, &op.solve].into_iter().chain(&op.transpose_solve).collect(),
            Op::Root(Root { f, solve, tangent_solve, .. }) => vec![f, solve, tangent_solve],
            Op::Remat(Remat { program, .. }) => vec![program],
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::Select
            | Op::Clamp
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::Bitcast { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. }
            | Op::StopGradient
            | Op::Name { .. }
            | Op::OptimizationBarrier
            | Op::BroadcastInDim { .. }
            | Op::Reshape { .. }
            | Op::Transpose { .. }
            | Op::Slice(_)
            | Op::Pad { .. }
            | Op::Concatenate { .. }
            | Op::Reverse { .. }
            | Op::Iota { .. }
            | Op::DynamicSlice { .. }
            | Op::DynamicUpdateSlice
            | Op::Gather(_)
            | Op::Scatter(_)
            | Op::Reduce { .. }
            | Op::ArgReduce(_)
            | Op::Cumulative(_)
            | Op::DotGeneral(_)
            | Op::Conv(_)
            | Op::ReduceWindow { .. }
            | Op::SelectAndScatterAdd(_)
            | Op::SelectAndGatherAdd(_)
            | Op::Sort(_)
            | Op::TopK { .. }
            | Op::Linalg(_)
            | Op::Fft(_)
            | Op::Threefry2x32
            | Op::DebugPrint(_)
            | Op::Collective(_) => vec![],
        }
    }
}
