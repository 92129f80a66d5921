//! Checks that many shape rules share, so that the same mistake is worded the same way for every op.

use crate::{Aval, DType, DTypeSet, Error, ErrorKind, Program, Result, Shape, Window, ensure};

/// `1 operand`, `2 operands`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The operands as an array of the number that the op takes.
pub(crate) fn operands<'a, const N: usize>(op: &str, inputs: &'a [Aval]) -> Result<&'a [Aval; N]> {
    inputs.try_into().map_err(|_| {
        Error::new(ErrorKind::Structure, format!("{op}: expected {}, found {}", count(N, "operand"), inputs.len()))
    })
}

/// The leading operands that an op takes as constants are there.
pub(crate) fn constants(op: &str, num_consts: usize, inputs: &[Aval]) -> Result<()> {
    ensure!(
        num_consts <= inputs.len(),
        Structure,
        "{op}: {num_consts} of the operands are constants, but only {} are given",
        inputs.len()
    );
    Ok(())
}

/// The operand's dtype is one that the op accepts.
pub(crate) fn dtype(op: &str, accepted: DTypeSet, operand: &Aval) -> Result<()> {
    ensure!(accepted.contains(operand.dtype), DType, "{op}: expected one of {accepted}, found {operand}");
    Ok(())
}

/// An argument has the dtype of another.
pub(crate) fn same_dtype(op: &str, x: &Aval, y: &Aval) -> Result<()> {
    ensure!(x.dtype == y.dtype, DType, "{op}: operands have different dtypes: {x} and {y}");
    Ok(())
}

/// Two operands agree in dtype and shape.
pub(crate) fn same_aval(op: &str, x: &Aval, y: &Aval) -> Result<()> {
    same_dtype(op, x, y)?;
    ensure!(x.shape == y.shape, Shape, "{op}: operands have different shapes: {x} and {y}");
    Ok(())
}

/// An index is a scalar of an integer dtype.
pub(crate) fn scalar_index(op: &str, what: &str, aval: &Aval) -> Result<()> {
    ensure!(
        aval.rank() == 0 && DTypeSet::INTEGER.contains(aval.dtype),
        DType,
        "{op}: {what} must be an integer scalar, found {aval}"
    );
    Ok(())
}

/// An axis exists; `of` says of what, for example `operand f32[2,3]`.
pub(crate) fn axis(op: &str, what: &str, axis: usize, rank: usize, of: impl std::fmt::Display) -> Result<()> {
    ensure!(axis < rank, Parameter, "{op}: {what} {axis} is out of range for {of} of rank {rank}");
    Ok(())
}

/// Axes exist and none is named twice.
pub(crate) fn distinct_axes(
    op: &str,
    what: &str,
    axes: &[usize],
    rank: usize,
    of: impl std::fmt::Display + Copy,
) -> Result<()> {
    for (i, &a) in axes.iter().enumerate() {
        axis(op, what, a, rank, of)?;
        ensure!(!axes[..i].contains(&a), Parameter, "{op}: {what} {a} is repeated in {axes:?}");
    }
    Ok(())
}

/// Axes exist and are strictly increasing.
pub(crate) fn increasing_axes(
    op: &str,
    what: &str,
    axes: &[usize],
    rank: usize,
    of: impl std::fmt::Display + Copy,
) -> Result<()> {
    distinct_axes(op, what, axes, rank, of)?;
    ensure!(axes.is_sorted(), Parameter, "{op}: {what} must be in increasing order, found {axes:?}");
    Ok(())
}

/// A parameter has one entry for each axis.
pub(crate) fn one_per_axis(op: &str, what: &str, len: usize, rank: usize, of: impl std::fmt::Display) -> Result<()> {
    ensure!(
        len == rank,
        Parameter,
        "{op}: {what} must have one entry for each of the {} of {of}, found {len}",
        axes_of(rank)
    );
    Ok(())
}

fn axes_of(rank: usize) -> String {
    if rank == 1 { "1 axis".into() } else { format!("{rank} axes") }
}

/// Every entry is at least 1.
pub(crate) fn positive(op: &str, what: &str, entries: &[usize]) -> Result<()> {
    ensure!(!entries.contains(&0), Parameter, "{op}: {what} must be at least 1, found {entries:?}");
    Ok(())
}

/// An array of this type can be addressed: the bytes (with extents of 0 counted as 1) fit in an `isize`.
pub(crate) fn addressable(op: &str, aval: &Aval) -> Result<()> {
    let bytes = aval.shape.iter().try_fold(aval.dtype.size(), |bytes, &extent| bytes.checked_mul(extent.max(1)));
    ensure!(
        bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok()),
        Shape,
        "{op}: an array of type {aval} is too large to be addressed"
    );
    Ok(())
}

/// The extent of an axis whose elements stand `dilation` apart.
pub(crate) fn dilated(extent: usize, dilation: usize) -> i128 {
    if extent == 0 { 0 } else { (extent as i128 - 1) * dilation as i128 + 1 }
}

/// How many windows of `window` elements fit at steps of `stride` into `extent` padded elements; none if the padding
/// removes more than there is.
pub(crate) fn window_count(op: &str, extent: i128, window: i128, stride: usize) -> Result<usize> {
    let count = if extent < window { 0 } else { (extent - window) / stride as i128 + 1 };
    extent_from(op, count)
}

/// A computed extent as a `usize`; negative means empty.
pub(crate) fn extent_from(op: &str, extent: i128) -> Result<usize> {
    usize::try_from(extent.max(0)).map_err(|_| {
        Error::new(ErrorKind::Shape, format!("{op}: a result extent of {extent} is too large to be addressed"))
    })
}

/// The shape of the results of a window sliding over `operand`, after checking the window's parameters.
pub(crate) fn windows(op: &str, window: &Window, operand: &Aval) -> Result<Shape> {
    let rank = operand.rank();
    for (what, len) in [
        ("window dimensions", window.dimensions.len()),
        ("window strides", window.strides.len()),
        ("padding", window.padding.len()),
        ("base dilation", window.base_dilation.len()),
        ("window dilation", window.window_dilation.len()),
    ] {
        one_per_axis(op, what, len, rank, operand)?;
    }
    positive(op, "window dimensions", &window.dimensions)?;
    positive(op, "window strides", &window.strides)?;
    positive(op, "base dilation", &window.base_dilation)?;
    positive(op, "window dilation", &window.window_dilation)?;
    (0..rank)
        .map(|axis| {
            let (low, high) = window.padding[axis];
            let extent = dilated(operand.shape[axis], window.base_dilation[axis]) + low as i128 + high as i128;
            let span = dilated(window.dimensions[axis], window.window_dilation[axis]);
            window_count(op, extent, span, window.strides[axis])
        })
        .collect()
}

/// The dtype of a dot's or convolution's result goes with that of its operands: the same kind, or floating point for
/// products of integers.
pub(crate) fn preferred(op: &str, operand: DType, preferred: DType) -> Result<()> {
    let accepted = if operand.is_integer() {
        DTypeSet::REAL
    } else if operand.is_float() {
        DTypeSet::FLOAT
    } else if operand.is_complex() {
        DTypeSet::COMPLEX
    } else {
        DTypeSet::BOOL
    };
    ensure!(operand.narrow().is_none(), DType, "{op}: expected operands that are computed with, found {operand}");
    ensure!(
        accepted.contains(preferred),
        DType,
        "{op}: the preferred dtype for operands of {operand} must be one of {accepted}, found {preferred}"
    );
    Ok(())
}

/// A program inside an op takes operands of these types. Returns the types of its results.
pub(crate) fn signature(op: &str, role: &str, program: &Program, expected: &[Aval]) -> Result<Vec<Aval>> {
    let defined = |index: usize| index < program.avals.len();
    ensure!(
        program.invars.iter().all(|v| defined(v.index()))
            && program.outvars.iter().filter_map(|a| a.var()).all(|v| defined(v.index())),
        Malformed,
        "{op}: {role} has inputs or outputs that are not among its variables"
    );
    ensure!(program.consts.is_empty(), Malformed, "{op}: {role} has constants; they must come in as operands");
    let found = program.in_avals();
    ensure!(
        found.len() == expected.len(),
        Structure,
        "{op}: {role} takes {}, but {} given",
        count(found.len(), "argument"),
        if expected.len() == 1 { "1 is".into() } else { format!("{} are", expected.len()) }
    );
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        ensure!(found == expected, Shape, "{op}: argument {i} of {role} has type {found}, but is given {expected}");
    }
    Ok(program.out_avals())
}

/// The results of a program inside an op have these types.
pub(crate) fn results(op: &str, role: &str, found: &[Aval], expected: &[Aval]) -> Result<()> {
    ensure!(
        found.len() == expected.len(),
        Structure,
        "{op}: {role} returns {}, expected {}",
        count(found.len(), "value"),
        expected.len()
    );
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        ensure!(found == expected, Shape, "{op}: result {i} of {role} has type {found}, expected {expected}");
    }
    Ok(())
}
