//! The parameters of every op in text: JAX's names in alphabetical order, as jaxprs print them.
//!
//! [`params`] and [`from_params`] are inverse to each other. Parameters whose absence is obvious (`reverse=False`,
//! promises about indices) may be left out when a program is written by hand; printing always shows them, `precision` aside.

use std::sync::Arc;

use super::param::{Field, Param, Params};
use super::read::{Read, Reader};
use crate::op::{
    ArgReduce, Collective, Combiner, Conv, Cumulative, CumulativeKind, CustomJvp, CustomLinear, CustomVjp, DebugPrint,
    DotGeneral, Fft, Gather, IndexMode, Linalg, LinearSolve, Precision, Remat, Root, Scan, Scatter, SelectAndGatherAdd,
    SelectAndScatterAdd, Slice, Sort, While, Window,
};
use crate::{Binary, Compare, Op, Reducer, Unary};

/// The parameters of an op, as [`Display`](std::fmt::Display) of programs shows them.
pub fn params(op: &Op) -> Vec<(&'static str, Param)> {
    match op {
        Op::Unary(_)
        | Op::Binary(_)
        | Op::Compare(_)
        | Op::Select
        | Op::Clamp
        | Op::RegularizedIncompleteBeta
        | Op::StopGradient
        | Op::OptimizationBarrier
        | Op::DynamicUpdateSlice
        | Op::Threefry2x32 => vec![],
        Op::Convert { dtype } | Op::Bitcast { dtype } => vec![("new_dtype", dtype.to_param())],
        Op::ReducePrecision { exponent_bits, mantissa_bits } => {
            vec![("exponent_bits", exponent_bits.to_param()), ("mantissa_bits", mantissa_bits.to_param())]
        }
        Op::IntegerPow { exponent } => vec![("y", exponent.to_param())],
        Op::Name { name } => vec![("name", name.to_param())],
        Op::BroadcastInDim { shape, dims } => {
            vec![("broadcast_dimensions", dims.to_param()), ("shape", shape.to_param())]
        }
        Op::Reshape { shape } => vec![("new_sizes", shape.to_param())],
        Op::Transpose { permutation } => vec![("permutation", permutation.to_param())],
        Op::Slice(Slice { starts, limits, strides }) => {
            let strides = if strides.iter().all(|&s| s == 1) { Param::None } else { strides.to_param() };
            vec![("limit_indices", limits.to_param()), ("start_indices", starts.to_param()), ("strides", strides)]
        }
        Op::Pad { padding } => vec![("padding_config", padding.to_param())],
        Op::Concatenate { axis } => vec![("dimension", axis.to_param())],
        Op::Reverse { axes } => vec![("dimensions", axes.to_param())],
        Op::Iota { dtype, shape, axis } => {
            vec![("dimension", axis.to_param()), ("dtype", dtype.to_param()), ("shape", shape.to_param())]
        }
        Op::DynamicSlice { sizes } => vec![("slice_sizes", sizes.to_param())],
        Op::Gather(gather) => gather_params(gather),
        Op::Scatter(scatter) => scatter_params(scatter),
        Op::Reduce { reducer: _, axes } => vec![("axes", axes.to_param())],
        Op::GeneralReduce { body, axes } => vec![("dimensions", axes.to_param()), ("jaxpr", body.to_param())],
        Op::ArgReduce(ArgReduce { largest: _, axis, index_dtype }) => {
            vec![("axes", vec![*axis].to_param()), ("index_dtype", index_dtype.to_param())]
        }
        Op::Cumulative(Cumulative { kind: _, axis, reverse }) => {
            vec![("axis", axis.to_param()), ("reverse", reverse.to_param())]
        }
        Op::DotGeneral(dot) => dot_params(dot),
        Op::Conv(conv) => conv_params(conv),
        Op::ReduceWindow { reducer: _, window } => window_params(window),
        Op::GeneralReduceWindow { body, window } => {
            let mut params = window_params(window);
            params.insert(1, ("jaxpr", body.to_param()));
            params
        }
        Op::SelectAndScatterAdd(SelectAndScatterAdd { largest, dimensions, strides, padding }) => vec![
            ("padding", padding.to_param()),
            ("select_prim", select_param(*largest)),
            ("window_dimensions", dimensions.to_param()),
            ("window_strides", strides.to_param()),
        ],
        Op::SelectAndGatherAdd(SelectAndGatherAdd { largest, window }) => {
            let mut params = window_params(window);
            params.insert(2, ("select_prim", select_param(*largest)));
            params
        }
        Op::Sort(Sort { axis, stable, num_keys }) => {
            vec![("dimension", axis.to_param()), ("is_stable", stable.to_param()), ("num_keys", num_keys.to_param())]
        }
        Op::TopK { k } => vec![("k", k.to_param())],
        Op::Linalg(linalg) => linalg_params(linalg),
        Op::Fft(Fft { kind, lengths }) => vec![("fft_lengths", lengths.to_param()), ("fft_type", kind.to_param())],
        Op::Cond { branches } => vec![("branches", branches.to_param())],
        Op::While(While { cond, body, cond_nconsts, body_nconsts }) => vec![
            ("body_jaxpr", body.to_param()),
            ("body_nconsts", body_nconsts.to_param()),
            ("cond_jaxpr", cond.to_param()),
            ("cond_nconsts", cond_nconsts.to_param()),
        ],
        Op::Scan(Scan { body, length, reverse, num_consts, num_carry }) => vec![
            ("jaxpr", body.to_param()),
            ("length", length.to_param()),
            ("num_carry", num_carry.to_param()),
            ("num_consts", num_consts.to_param()),
            ("reverse", reverse.to_param()),
        ],
        Op::Call { name, program } => vec![("name", name.to_param()), ("jaxpr", program.to_param())],
        Op::CustomJvp(CustomJvp { call, jvp, num_consts }) => {
            vec![("call_jaxpr", call.to_param()), ("jvp_jaxpr", jvp.to_param()), ("num_consts", num_consts.to_param())]
        }
        Op::CustomVjp(CustomVjp { call, fwd, bwd, num_consts }) => vec![
            ("bwd_jaxpr", bwd.to_param()),
            ("call_jaxpr", call.to_param()),
            ("fwd_jaxpr", fwd.to_param()),
            ("num_consts", num_consts.to_param()),
        ],
        Op::CustomLinear(CustomLinear { bwd, num_residuals, outputs }) => vec![
            ("bwd_jaxpr", bwd.to_param()),
            ("num_res", num_residuals.to_param()),
            ("out_avals", outputs.to_param()),
        ],
        Op::LinearSolve(LinearSolve { matvec, solve, transpose_solve, num_consts }) => {
            let mut params = vec![
                ("matvec_jaxpr", matvec.to_param()),
                ("num_consts", num_consts.to_param()),
                ("solve_jaxpr", solve.to_param()),
            ];
            params.extend(transpose_solve.as_ref().map(|program| ("transpose_solve_jaxpr", program.to_param())));
            params
        }
        Op::Root(Root { f, solve, tangent_solve, num_consts }) => vec![
            ("f_jaxpr", f.to_param()),
            ("num_consts", num_consts.to_param()),
            ("solve_jaxpr", solve.to_param()),
            ("tangent_solve_jaxpr", tangent_solve.to_param()),
        ],
        Op::Remat(Remat { program, policy, differentiated }) => vec![
            ("differentiated", differentiated.to_param()),
            ("jaxpr", program.to_param()),
            ("policy", policy.to_param()),
        ],
        Op::DebugPrint(DebugPrint { format }) => vec![("fmt", format.to_param())],
        Op::Collective(collective) => match collective {
            Collective::Psum { axes } | Collective::Pmax { axes } | Collective::Pmin { axes } => {
                vec![("axes", axes.to_param())]
            }
            Collective::AxisIndex { axis } => vec![("axis_name", axis.to_param())],
        },
    }
}

fn linalg_params(linalg: &Linalg) -> Params {
    match linalg {
        Linalg::Cholesky | Linalg::Lu | Linalg::Geqrf | Linalg::HouseholderProduct => vec![],
        Linalg::Hessenberg | Linalg::TridiagonalSolve => vec![],
        Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } => vec![
            ("conjugate_a", conjugate_a.to_param()),
            ("left_side", left_side.to_param()),
            ("lower", lower.to_param()),
            ("transpose_a", transpose_a.to_param()),
            ("unit_diagonal", unit_diagonal.to_param()),
        ],
        Linalg::Qr { full_matrices } => vec![("full_matrices", full_matrices.to_param())],
        Linalg::Eigh { lower } => vec![("lower", lower.to_param())],
        Linalg::Svd { full_matrices, compute_uv } => {
            vec![("compute_uv", compute_uv.to_param()), ("full_matrices", full_matrices.to_param())]
        }
        Linalg::Eig { left, right } => {
            vec![("compute_left_eigenvectors", left.to_param()), ("compute_right_eigenvectors", right.to_param())]
        }
        Linalg::Schur { vectors } => vec![("compute_schur_vectors", vectors.to_param())],
    }
}

fn dot_params(dot: &DotGeneral) -> Params {
    let list = |axes: &[usize]| Param::List(axes.iter().map(Field::to_param).collect());
    let contracting = Param::Tuple(vec![list(&dot.lhs_contracting), list(&dot.rhs_contracting)]);
    let batch = Param::Tuple(vec![list(&dot.lhs_batch), list(&dot.rhs_batch)]);
    let mut params = vec![("dimension_numbers", Param::Tuple(vec![contracting, batch]))];
    if dot.precision != Precision::Default {
        params.push(("precision", dot.precision.to_param()));
    }
    params.push(("preferred_element_type", dot.preferred.to_param()));
    params
}

fn record(name: &str, fields: Vec<(&'static str, Param)>) -> Param {
    Param::Record(name.into(), fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn gather_params(gather: &Gather) -> Params {
    let numbers = vec![
        ("offset_dims", gather.offset_dims.to_param()),
        ("collapsed_slice_dims", gather.collapsed_slice_dims.to_param()),
        ("start_index_map", gather.start_index_map.to_param()),
        ("operand_batching_dims", gather.operand_batching_dims.to_param()),
        ("start_indices_batching_dims", gather.start_indices_batching_dims.to_param()),
    ];
    vec![
        ("dimension_numbers", record("GatherDimensionNumbers", numbers)),
        ("fill_value", gather.fill_value.to_param()),
        ("indices_are_sorted", gather.indices_are_sorted.to_param()),
        ("mode", gather.mode.to_param()),
        ("slice_sizes", gather.slice_sizes.to_param()),
        ("unique_indices", gather.unique_indices.to_param()),
    ]
}

fn scatter_params(scatter: &Scatter) -> Params {
    let numbers = vec![
        ("update_window_dims", scatter.update_window_dims.to_param()),
        ("inserted_window_dims", scatter.inserted_window_dims.to_param()),
        ("scatter_dims_to_operand_dims", scatter.scatter_dims_to_operand_dims.to_param()),
        ("operand_batching_dims", scatter.operand_batching_dims.to_param()),
        ("scatter_indices_batching_dims", scatter.scatter_indices_batching_dims.to_param()),
    ];
    vec![
        ("dimension_numbers", record("ScatterDimensionNumbers", numbers)),
        ("indices_are_sorted", scatter.indices_are_sorted.to_param()),
        ("mode", scatter.mode.to_param()),
        ("unique_indices", scatter.unique_indices.to_param()),
    ]
}

fn conv_params(conv: &Conv) -> Params {
    let numbers = vec![
        ("lhs_spec", conv.lhs_spec.to_param()),
        ("rhs_spec", conv.rhs_spec.to_param()),
        ("out_spec", conv.out_spec.to_param()),
    ];
    vec![
        ("batch_group_count", conv.batch_group_count.to_param()),
        ("dimension_numbers", record("ConvDimensionNumbers", numbers)),
        ("feature_group_count", conv.feature_group_count.to_param()),
        ("lhs_dilation", conv.lhs_dilation.to_param()),
        ("padding", conv.padding.to_param()),
        ("preferred_element_type", conv.preferred.to_param()),
        ("rhs_dilation", conv.rhs_dilation.to_param()),
        ("window_strides", conv.window_strides.to_param()),
    ]
}

fn window_params(window: &Window) -> Params {
    vec![
        ("base_dilation", window.base_dilation.to_param()),
        ("padding", window.padding.to_param()),
        ("window_dilation", window.window_dilation.to_param()),
        ("window_dimensions", window.dimensions.to_param()),
        ("window_strides", window.strides.to_param()),
    ]
}

fn select_param(largest: bool) -> Param {
    Param::Name(if largest { "ge" } else { "le" }.into())
}

/// The names of all ops, in the order of the op table.
pub fn names() -> Vec<&'static str> {
    let elementwise = Unary::ALL.iter().map(|op| op.name()).chain(Binary::ALL.iter().map(|op| op.name()));
    elementwise.chain(Compare::ALL.iter().map(|op| op.name())).chain(STRUCTURED.iter().map(|(name, _)| *name)).collect()
}

/// One line saying what the op with this name computes; empty for a name that no op has.
pub fn doc(name: &str) -> &'static str {
    let unary = Unary::parse(name).map(Unary::doc);
    let elementwise = unary.or_else(|| Binary::parse(name).map(Binary::doc));
    let compare = || Compare::ALL.iter().find(|op| op.name() == name).map(|op| op.doc());
    let structured = || STRUCTURED.iter().find(|(other, _)| *other == name).map(|(_, doc)| *doc);
    elementwise.or_else(compare).or_else(structured).unwrap_or_default()
}

/// The ops that are not rows of the elementwise tables, and what they compute in one line.
const STRUCTURED: &[(&str, &str)] = &[
    ("select_n", "One of several cases for each element, by a bool or integer."),
    ("clamp", "The operand limited to a least and a greatest value."),
    ("regularized_incomplete_beta", "The regularised incomplete beta function I_x(a, b)."),
    ("convert_element_type", "The same values in another dtype."),
    ("bitcast_convert_type", "The same bits in another dtype."),
    ("reduce_precision", "Rounding to a float format with fewer bits."),
    ("integer_pow", "The operand to a static integer power."),
    ("stop_gradient", "The operand with a zero derivative."),
    ("name", "The operand under a name that a remat policy can refer to."),
    ("optimization_barrier", "The operands; nothing moves across."),
    ("broadcast_in_dim", "The operand repeated along new axes and along axes of extent 1."),
    ("reshape", "The same elements in row-major order under another shape."),
    ("transpose", "Axes permuted."),
    ("slice", "A strided window with static bounds."),
    ("pad", "Padding at the edges and between elements; negative padding removes."),
    ("concatenate", "Operands one after the other along an axis."),
    ("rev", "The operand reversed along axes."),
    ("iota", "0, 1, 2, … along an axis."),
    ("dynamic_slice", "A window at a computed position, clamped so that it fits."),
    ("dynamic_update_slice", "The operand with a window replaced at a computed position."),
    ("gather", "Windows at computed positions."),
    ("scatter", "Windows replaced at computed positions."),
    ("scatter-add", "Windows added at computed positions."),
    ("scatter-mul", "Windows multiplied at computed positions."),
    ("scatter-min", "Minima with windows at computed positions."),
    ("scatter-max", "Maxima with windows at computed positions."),
    ("reduce_sum", "Sums along axes; bool: or."),
    ("reduce_prod", "Products along axes; bool: and."),
    ("reduce_max", "Maxima along axes; NaN wins."),
    ("reduce_min", "Minima along axes; NaN wins."),
    ("reduce_and", "Bitwise and along axes."),
    ("reduce_or", "Bitwise or along axes."),
    ("reduce_xor", "Bitwise exclusive or along axes."),
    ("reduce", "Reduction along axes with a program that combines."),
    ("argmax", "The position of the greatest element along an axis; the first NaN wins."),
    ("argmin", "The position of the least element along an axis; the first NaN wins."),
    ("cumsum", "Sums of all elements so far along an axis."),
    ("cumprod", "Products of all elements so far along an axis."),
    ("cummax", "Maxima of all elements so far along an axis."),
    ("cummin", "Minima of all elements so far along an axis."),
    ("cumlogsumexp", "Logarithms of the sums of exponentials so far along an axis."),
    ("dot_general", "Products summed over contracted axes, for each batch."),
    ("conv_general_dilated", "Convolution with strides, padding, dilation and groups."),
    ("reduce_window_sum", "Sums over sliding windows."),
    ("reduce_window_prod", "Products over sliding windows."),
    ("reduce_window_max", "Maxima over sliding windows."),
    ("reduce_window_min", "Minima over sliding windows."),
    ("reduce_window_and", "Bitwise and over sliding windows."),
    ("reduce_window_or", "Bitwise or over sliding windows."),
    ("reduce_window_xor", "Bitwise exclusive or over sliding windows."),
    ("reduce_window", "Reduction over sliding windows with a program that combines."),
    ("select_and_scatter_add", "Values added where their window is greatest or least: the transpose of pooling."),
    ("select_and_gather_add", "Values from where their window is greatest or least: the derivative of pooling."),
    ("sort", "Operands sorted together along an axis."),
    ("top_k", "The k greatest elements along the last axis, and where they are."),
    ("cholesky", "Lower Cholesky factors; NaN where a matrix is not positive definite."),
    ("triangular_solve", "Solutions of triangular systems."),
    ("lu", "LU factors with partial pivoting, pivots and permutations."),
    ("qr", "QR factors: orthonormal columns and upper triangles."),
    ("geqrf", "QR factors in LAPACK's form: R and Householder reflectors."),
    ("householder_product", "Products of Householder reflectors."),
    ("eigh", "Eigenvectors and ascending eigenvalues of Hermitian matrices."),
    ("svd", "Singular values in descending order, and vectors."),
    ("eig", "Eigenvalues of general matrices, left and right eigenvectors."),
    ("schur", "Schur forms and vectors."),
    ("hessenberg", "Hessenberg forms and Householder reflectors."),
    ("tridiagonal_solve", "Solutions of tridiagonal systems."),
    ("fft", "Discrete Fourier transforms over trailing axes."),
    ("threefry2x32", "Random bits from keys and counters: 20 rounds of Threefry-2x32."),
    ("cond", "One of several programs, by an index."),
    ("while", "A program repeated while another gives true."),
    ("scan", "A program repeated a fixed number of times, along the leading axis of its operands."),
    ("jit", "A call of a named program."),
    ("custom_jvp_call", "A call of a program with its own forward derivative."),
    ("custom_vjp_call", "A call of a program with its own reverse derivative."),
    ("custom_lin", "The tangents of a custom_vjp_call, known by their transpose."),
    ("custom_linear_solve", "Solves linear equations by a program that is not differentiated."),
    ("custom_root", "Finds a root by a program that is not differentiated."),
    ("checkpoint", "A call whose inner values are computed again in the backward pass."),
    ("debug_print", "Prints values when the program runs."),
    ("psum", "Sums over named axes."),
    ("pmax", "Maxima over named axes."),
    ("pmin", "Minima over named axes."),
    ("axis_index", "The position along a named axis."),
];

/// The op with this name and these parameters; `None` where no op has the name.
pub(super) fn from_params(name: &str, p: &mut Reader<'_>) -> Read<Option<Op>> {
    if let Some(op) = Unary::parse(name) {
        return Ok(Some(Op::Unary(op)));
    }
    if let Some(op) = Binary::parse(name) {
        return Ok(Some(Op::Binary(op)));
    }
    if let Some(&op) = Compare::ALL.iter().find(|op| op.name() == name) {
        return Ok(Some(Op::Compare(op)));
    }
    Ok(Some(match name {
        "select_n" => Op::Select,
        "clamp" => Op::Clamp,
        "regularized_incomplete_beta" => Op::RegularizedIncompleteBeta,
        "convert_element_type" => Op::Convert { dtype: p.take("new_dtype")? },
        "bitcast_convert_type" => Op::Bitcast { dtype: p.take("new_dtype")? },
        "reduce_precision" => {
            Op::ReducePrecision { exponent_bits: p.take("exponent_bits")?, mantissa_bits: p.take("mantissa_bits")? }
        }
        "integer_pow" => Op::IntegerPow { exponent: p.take("y")? },
        "stop_gradient" => Op::StopGradient,
        "name" => Op::Name { name: p.take("name")? },
        "optimization_barrier" => Op::OptimizationBarrier,
        "broadcast_in_dim" => Op::BroadcastInDim { shape: p.take("shape")?, dims: p.take("broadcast_dimensions")? },
        "reshape" => Op::Reshape { shape: p.take("new_sizes")? },
        "transpose" => Op::Transpose { permutation: p.take("permutation")? },
        "slice" => {
            let (starts, limits): (Vec<usize>, Vec<usize>) = (p.take("start_indices")?, p.take("limit_indices")?);
            let strides = p.take_unless_none("strides")?.unwrap_or_else(|| vec![1; starts.len()]);
            Op::Slice(Slice { starts, limits, strides })
        }
        "pad" => Op::Pad { padding: p.take("padding_config")? },
        "concatenate" => Op::Concatenate { axis: p.take("dimension")? },
        "rev" => Op::Reverse { axes: p.take("dimensions")? },
        "iota" => Op::Iota { dtype: p.take("dtype")?, shape: p.take("shape")?, axis: p.take("dimension")? },
        "dynamic_slice" => Op::DynamicSlice { sizes: p.take("slice_sizes")? },
        "dynamic_update_slice" => Op::DynamicUpdateSlice,
        "gather" => Op::Gather(gather(p)?),
        "scatter" => Op::Scatter(scatter(p, Combiner::Replace)?),
        "scatter-add" => Op::Scatter(scatter(p, Combiner::Add)?),
        "scatter-mul" => Op::Scatter(scatter(p, Combiner::Mul)?),
        "scatter-min" => Op::Scatter(scatter(p, Combiner::Min)?),
        "scatter-max" => Op::Scatter(scatter(p, Combiner::Max)?),
        "reduce" => Op::GeneralReduce { body: p.take("jaxpr")?, axes: p.take("dimensions")? },
        "argmax" => Op::ArgReduce(arg_reduce(p, true)?),
        "argmin" => Op::ArgReduce(arg_reduce(p, false)?),
        "cumsum" => cumulative(p, CumulativeKind::Sum)?,
        "cumprod" => cumulative(p, CumulativeKind::Prod)?,
        "cummax" => cumulative(p, CumulativeKind::Max)?,
        "cummin" => cumulative(p, CumulativeKind::Min)?,
        "cumlogsumexp" => cumulative(p, CumulativeKind::LogSumExp)?,
        "dot_general" => {
            type Pair = (Vec<usize>, Vec<usize>);
            let (contracting, batch): (Pair, Pair) = p.take("dimension_numbers")?;
            Op::DotGeneral(DotGeneral {
                lhs_contracting: contracting.0,
                rhs_contracting: contracting.1,
                lhs_batch: batch.0,
                rhs_batch: batch.1,
                precision: p.take_or("precision", Precision::Default)?,
                preferred: p.take("preferred_element_type")?,
            })
        }
        "conv_general_dilated" => Op::Conv(conv(p)?),
        "reduce_window" => Op::GeneralReduceWindow { body: p.take("jaxpr")?, window: window(p)? },
        "select_and_scatter_add" => Op::SelectAndScatterAdd(SelectAndScatterAdd {
            largest: select(p)?,
            dimensions: p.take("window_dimensions")?,
            strides: p.take("window_strides")?,
            padding: p.take("padding")?,
        }),
        "select_and_gather_add" => {
            Op::SelectAndGatherAdd(SelectAndGatherAdd { largest: select(p)?, window: window(p)? })
        }
        "sort" => Op::Sort(Sort {
            axis: p.take("dimension")?,
            stable: p.take_or("is_stable", true)?,
            num_keys: p.take_or("num_keys", 1)?,
        }),
        "top_k" => Op::TopK { k: p.take("k")? },
        "cholesky" => Op::Linalg(Linalg::Cholesky),
        "triangular_solve" => Op::Linalg(Linalg::TriangularSolve {
            left_side: p.take_or("left_side", false)?,
            lower: p.take_or("lower", false)?,
            transpose_a: p.take_or("transpose_a", false)?,
            conjugate_a: p.take_or("conjugate_a", false)?,
            unit_diagonal: p.take_or("unit_diagonal", false)?,
        }),
        "lu" => Op::Linalg(Linalg::Lu),
        "qr" => Op::Linalg(Linalg::Qr { full_matrices: p.take_or("full_matrices", true)? }),
        "geqrf" => Op::Linalg(Linalg::Geqrf),
        "householder_product" => Op::Linalg(Linalg::HouseholderProduct),
        "eigh" => Op::Linalg(Linalg::Eigh { lower: p.take_or("lower", true)? }),
        "svd" => Op::Linalg(Linalg::Svd {
            full_matrices: p.take_or("full_matrices", true)?,
            compute_uv: p.take_or("compute_uv", true)?,
        }),
        "eig" => Op::Linalg(Linalg::Eig {
            left: p.take_or("compute_left_eigenvectors", true)?,
            right: p.take_or("compute_right_eigenvectors", true)?,
        }),
        "schur" => Op::Linalg(Linalg::Schur { vectors: p.take_or("compute_schur_vectors", true)? }),
        "hessenberg" => Op::Linalg(Linalg::Hessenberg),
        "tridiagonal_solve" => Op::Linalg(Linalg::TridiagonalSolve),
        "fft" => Op::Fft(Fft { kind: p.take("fft_type")?, lengths: p.take("fft_lengths")? }),
        "threefry2x32" => Op::Threefry2x32,
        "cond" => Op::Cond { branches: p.take("branches")? },
        "while" => Op::While(While {
            cond: p.take("cond_jaxpr")?,
            body: p.take("body_jaxpr")?,
            cond_nconsts: p.take_or("cond_nconsts", 0)?,
            body_nconsts: p.take_or("body_nconsts", 0)?,
        }),
        "scan" => Op::Scan(Scan {
            body: p.take("jaxpr")?,
            length: p.take("length")?,
            reverse: p.take_or("reverse", false)?,
            num_consts: p.take_or("num_consts", 0)?,
            num_carry: p.take("num_carry")?,
        }),
        "jit" => Op::Call { name: p.take("name")?, program: p.take("jaxpr")? },
        "custom_jvp_call" => Op::CustomJvp(CustomJvp {
            call: p.take("call_jaxpr")?,
            jvp: p.take("jvp_jaxpr")?,
            num_consts: p.take_or("num_consts", 0)?,
        }),
        "custom_vjp_call" => Op::CustomVjp(CustomVjp {
            call: p.take("call_jaxpr")?,
            fwd: p.take("fwd_jaxpr")?,
            bwd: p.take("bwd_jaxpr")?,
            num_consts: p.take_or("num_consts", 0)?,
        }),
        "custom_lin" => Op::CustomLinear(CustomLinear {
            bwd: p.take("bwd_jaxpr")?,
            num_residuals: p.take("num_res")?,
            outputs: p.take("out_avals")?,
        }),
        "custom_linear_solve" => Op::LinearSolve(LinearSolve {
            matvec: p.take("matvec_jaxpr")?,
            solve: p.take("solve_jaxpr")?,
            transpose_solve: p.take_unless_none("transpose_solve_jaxpr")?,
            num_consts: p.take_or("num_consts", 0)?,
        }),
        "custom_root" => Op::Root(Root {
            f: p.take("f_jaxpr")?,
            solve: p.take("solve_jaxpr")?,
            tangent_solve: p.take("tangent_solve_jaxpr")?,
            num_consts: p.take_or("num_consts", 0)?,
        }),
        "checkpoint" => Op::Remat(Remat {
            program: p.take("jaxpr")?,
            policy: p.take_or("policy", Default::default())?,
            differentiated: p.take_or("differentiated", false)?,
        }),
        "debug_print" => Op::DebugPrint(DebugPrint { format: p.take("fmt")? }),
        "psum" => Op::Collective(Collective::Psum { axes: p.take("axes")? }),
        "pmax" => Op::Collective(Collective::Pmax { axes: p.take("axes")? }),
        "pmin" => Op::Collective(Collective::Pmin { axes: p.take("axes")? }),
        "axis_index" => Op::Collective(Collective::AxisIndex { axis: p.take("axis_name")? }),
        _ => return reduction(name, p),
    }))
}

/// `reduce_sum`, `reduce_window_max` and so on: one op for each reducer.
fn reduction(name: &str, p: &mut Reader<'_>) -> Read<Option<Op>> {
    let reducer = |suffix: &str| Reducer::ALL.iter().copied().find(|reducer| reducer.name() == suffix);
    if let Some(reducer) = name.strip_prefix("reduce_window_").and_then(reducer) {
        return Ok(Some(Op::ReduceWindow { reducer, window: window(p)? }));
    }
    if let Some(reducer) = name.strip_prefix("reduce_").and_then(reducer) {
        return Ok(Some(Op::Reduce { reducer, axes: p.take("axes")? }));
    }
    Ok(None)
}

fn arg_reduce(p: &mut Reader<'_>, largest: bool) -> Read<ArgReduce> {
    let axes: Vec<usize> = p.take("axes")?;
    let [axis] = axes[..] else {
        return Err(p.error("axes", format!("takes exactly one axis, found {}", axes.len())));
    };
    Ok(ArgReduce { largest, axis, index_dtype: p.take("index_dtype")? })
}

fn cumulative(p: &mut Reader<'_>, kind: CumulativeKind) -> Read<Op> {
    Ok(Op::Cumulative(Cumulative { kind, axis: p.take("axis")?, reverse: p.take_or("reverse", false)? }))
}

fn gather(p: &mut Reader<'_>) -> Read<Gather> {
    let mut numbers = p.take_record("dimension_numbers", "GatherDimensionNumbers")?;
    let gather = Gather {
        offset_dims: numbers.take("offset_dims")?,
        collapsed_slice_dims: numbers.take("collapsed_slice_dims")?,
        start_index_map: numbers.take("start_index_map")?,
        operand_batching_dims: numbers.take_or("operand_batching_dims", vec![])?,
        start_indices_batching_dims: numbers.take_or("start_indices_batching_dims", vec![])?,
        slice_sizes: p.take("slice_sizes")?,
        mode: p.take_or("mode", IndexMode::FillOrDrop)?,
        fill_value: p.take_or("fill_value", None)?,
        unique_indices: p.take_or("unique_indices", false)?,
        indices_are_sorted: p.take_or("indices_are_sorted", false)?,
    };
    numbers.finish()?;
    Ok(gather)
}

fn scatter(p: &mut Reader<'_>, combiner: Combiner) -> Read<Scatter> {
    let mut numbers = p.take_record("dimension_numbers", "ScatterDimensionNumbers")?;
    let scatter = Scatter {
        combiner,
        update_window_dims: numbers.take("update_window_dims")?,
        inserted_window_dims: numbers.take("inserted_window_dims")?,
        scatter_dims_to_operand_dims: numbers.take("scatter_dims_to_operand_dims")?,
        operand_batching_dims: numbers.take_or("operand_batching_dims", vec![])?,
        scatter_indices_batching_dims: numbers.take_or("scatter_indices_batching_dims", vec![])?,
        mode: p.take_or("mode", IndexMode::FillOrDrop)?,
        unique_indices: p.take_or("unique_indices", false)?,
        indices_are_sorted: p.take_or("indices_are_sorted", false)?,
    };
    numbers.finish()?;
    Ok(scatter)
}

fn conv(p: &mut Reader<'_>) -> Read<Conv> {
    let mut numbers = p.take_record("dimension_numbers", "ConvDimensionNumbers")?;
    let lhs_spec: Vec<usize> = numbers.take("lhs_spec")?;
    let spatial = lhs_spec.len().saturating_sub(2);
    let conv = Conv {
        lhs_spec,
        rhs_spec: numbers.take("rhs_spec")?,
        out_spec: numbers.take("out_spec")?,
        window_strides: p.take_or("window_strides", vec![1; spatial])?,
        padding: p.take_or("padding", vec![(0, 0); spatial])?,
        lhs_dilation: p.take_or("lhs_dilation", vec![1; spatial])?,
        rhs_dilation: p.take_or("rhs_dilation", vec![1; spatial])?,
        feature_group_count: p.take_or("feature_group_count", 1)?,
        batch_group_count: p.take_or("batch_group_count", 1)?,
        preferred: p.take("preferred_element_type")?,
    };
    numbers.finish()?;
    Ok(conv)
}

fn window(p: &mut Reader<'_>) -> Read<Window> {
    let dimensions: Vec<usize> = p.take("window_dimensions")?;
    let rank = dimensions.len();
    Ok(Window {
        strides: p.take_or("window_strides", vec![1; rank])?,
        padding: p.take_or("padding", vec![(0, 0); rank])?,
        base_dilation: p.take_or("base_dilation", vec![1; rank])?,
        window_dilation: p.take_or("window_dilation", vec![1; rank])?,
        dimensions,
    })
}

fn select(p: &mut Reader<'_>) -> Read<bool> {
    let name: Arc<str> = p.take("select_prim")?;
    match &*name {
        "ge" => Ok(true),
        "le" => Ok(false),
        _ => Err(p.error("select_prim", format!("expected ge or le, found `{name}`"))),
    }
}
