//! Linear algebra and Fourier transforms: StableHLO's own operations, and the LAPACK routines that JAX calls by name on CPU.
//!
//! LAPACK reports failure by an `info` for each matrix, which programs compare with zero. rjax's ops give NaN instead, so `info` is made
//! from a result.

use rjax_ir::{Atom, Aval, Binary, Compare, DType, Eqn, Fft, FftKind, Linalg, Op, PadDim, Result, Scalar, Unary};

use super::{Importer, malformed, unsupported};
use crate::mlir::{Attribute, Operation};

impl Importer<'_> {
    /// `stablehlo.cholesky`, `stablehlo.triangular_solve` and `stablehlo.fft`.
    pub(super) fn linalg(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let inputs = self.values(&operation.operands)?;
        let Some(&first) = inputs.first() else { return Err(malformed(operation, "expected an operand".into())) };
        match operation.name.as_str() {
            "stablehlo.cholesky" if operation.flag("lower")? => self.factor(Linalg::Cholesky, &inputs),
            "stablehlo.cholesky" => {
                let a = self.adjoint(first);
                let l = self.factor(Linalg::Cholesky, &[a])?;
                Ok(vec![self.adjoint(l[0])])
            }
            "stablehlo.triangular_solve" => {
                let transpose = operation.string("transpose_a")?;
                let op = Linalg::TriangularSolve {
                    left_side: operation.flag("left_side")?,
                    lower: operation.flag("lower")?,
                    transpose_a: transpose != "NO_TRANSPOSE",
                    conjugate_a: transpose == "ADJOINT",
                    unit_diagonal: operation.flag("unit_diagonal")?,
                };
                self.factor(op, &inputs)
            }
            _ => {
                let name = operation.string("fft_type")?;
                let kind = FftKind::ALL.into_iter().find(|kind| kind.name() == name);
                let kind = kind.ok_or_else(|| malformed(operation, format!("transform {name} is not known")))?;
                let lengths = operation.indices("fft_length")?;
                self.builder().try_emit(Op::Fft(Fft { kind, lengths }), &inputs)
            }
        }
    }

    /// An op with one result; 16-bit floats are computed in 32 bits.
    fn factor(&mut self, op: Linalg, inputs: &[Atom]) -> Result<Vec<Atom>> {
        let dtype = self.builder().dtype(inputs[0]);
        let wide = dtype.accumulator();
        let inputs: Vec<Atom> = inputs.iter().map(|&x| self.builder().convert(x, wide)).collect();
        let y = self.builder().try_emit(Op::Linalg(op), &inputs)?[0];
        Ok(vec![self.builder().convert(y, dtype)])
    }

    fn adjoint(&mut self, x: Atom) -> Atom {
        let b = self.builder();
        let rank = b.shape(x).rank();
        let x = if rank < 2 { x } else { b.move_axis(x, rank - 1, rank - 2) };
        if b.dtype(x).is_complex() { b.unary(Unary::Conj, x) } else { x }
    }

    /// A call of a LAPACK routine, named without `lapack_`, type letter and `_ffi`; `None` where it is not known.
    pub(super) fn lapack(&mut self, routine: &str, operation: &Operation) -> Result<Option<Vec<Atom>>> {
        let inputs = self.values(&operation.operands)?;
        let Some(&a) = inputs.first() else { return Err(malformed(operation, "expected an operand".into())) };
        let found = self.aval(a);
        let Some(batch_rank) = found.rank().checked_sub(if routine == "gtsv" { 1 } else { 2 }) else {
            return Err(malformed(operation, format!("expected a matrix, found {found}")));
        };
        let letter = |name: &str| -> Result<char> { Ok(config(operation, name)? as u8 as char) };
        let outputs = match routine {
            "potrf" => {
                let lower = letter("uplo")? == 'L';
                let given = if lower { a } else { self.adjoint(a) };
                let l = self.emit(Linalg::Cholesky, &[given])?[0];
                let info = self.info(l, batch_rank);
                let factor = if lower { l } else { self.adjoint(l) };
                // LAPACK leaves the other triangle as it was.
                let (shape, order) = (self.aval(a).shape, if lower { Compare::Ge } else { Compare::Le });
                let b = self.builder();
                let row = b.iota(DType::I32, &shape, batch_rank);
                let column = b.iota(DType::I32, &shape, batch_rank + 1);
                let triangle = b.compare(order, row, column);
                vec![b.select(triangle, factor, a), info]
            }
            "getrf" => {
                let y = self.emit(Linalg::Lu, &[a])?;
                // LAPACK counts rows from one.
                let one = Scalar::one(DType::I32);
                let pivots = self.builder().binary(Binary::Add, y[1], one.into());
                let info = self.no_info(a, batch_rank);
                vec![y[0], pivots, info]
            }
            "geqrf" => self.geqrf(a)?,
            "orgqr" | "ungqr" => self.orthogonal_factor(operation, &inputs)?,
            "trsm" => {
                let transpose = letter("trans_x")?;
                let op = Linalg::TriangularSolve {
                    left_side: letter("side")? == 'L',
                    lower: letter("uplo")? == 'L',
                    transpose_a: transpose != 'N',
                    conjugate_a: transpose == 'C',
                    unit_diagonal: letter("diag")? == 'U',
                };
                self.emit(op, &inputs)?
            }
            "syevd" | "heevd" => {
                let y = self.emit(Linalg::Eigh { lower: letter("uplo")? == 'L' }, &[a])?;
                let info = self.info(y[1], batch_rank);
                vec![y[0], y[1], info]
            }
            "gesdd" => self.gesdd(operation, a, letter("mode")?, batch_rank)?,
            "geev" => {
                let (left, right) = (letter("compute_left")? == 'V', letter("compute_right")? == 'V');
                let y = self.emit(Linalg::Eig { left, right }, &[a])?;
                let info = self.info(y[0], batch_rank);
                let mut outputs = if self.aval(a).dtype.is_complex() {
                    vec![y[0]]
                } else {
                    let b = self.builder();
                    vec![b.unary(Unary::Real, y[0]), b.unary(Unary::Imag, y[0])]
                };
                let absent = Aval::new(self.aval(y[0]).dtype, self.aval(a).shape);
                for (wanted, vectors) in [(left, y.get(1)), (right, y.last())] {
                    let zeros = self.builder().zeros(&absent);
                    outputs.push(vectors.copied().filter(|_| wanted).unwrap_or(zeros));
                }
                outputs.push(info);
                outputs
            }
            "gees" => {
                let vectors = letter("mode")? == 'V';
                if letter("sort")? != 'N' {
                    return Err(unsupported(operation, "a sorted Schur form"));
                }
                let y = self.emit(Linalg::Schur { vectors }, &[a])?;
                let info = self.info(y[0], batch_rank);
                let mut outputs = vec![y[0], y.get(1).copied().unwrap_or(a)];
                // The eigenvalues that LAPACK returns beside the form are not used by JAX.
                let values = Aval::new(self.aval(a).dtype, self.aval(a).shape.without(&[batch_rank + 1]));
                let count = if values.dtype.is_complex() { 1 } else { 2 };
                let diagonal = self.builder().zeros(&values);
                outputs.extend(std::iter::repeat_n(diagonal, count));
                let selected = self.no_info(a, batch_rank);
                outputs.extend([selected, info]);
                outputs
            }
            "gehrd" => {
                let y = self.emit(Linalg::Hessenberg, &[a])?;
                let info = self.no_info(a, batch_rank);
                vec![y[0], y[1], info]
            }
            "gtsv" => {
                let x = self.emit(Linalg::TridiagonalSolve, &inputs)?;
                let info = self.no_info(a, batch_rank);
                vec![inputs[0], inputs[1], inputs[2], x[0], info]
            }
            _ => return Ok(None),
        };
        Ok(Some(outputs))
    }

    fn emit(&mut self, op: Linalg, inputs: &[Atom]) -> Result<Vec<Atom>> {
        self.builder().try_emit(Op::Linalg(op), inputs)
    }

    /// An `info` of zero for each matrix.
    fn no_info(&mut self, a: Atom, batch_rank: usize) -> Atom {
        let shape = self.aval(a).shape[..batch_rank].to_vec();
        self.builder().zeros(&Aval::new(DType::I32, shape))
    }

    /// One for each matrix whose result begins with NaN, zero for the others.
    fn info(&mut self, result: Atom, batch_rank: usize) -> Atom {
        if self.aval(result).shape[batch_rank..].contains(&0) {
            return self.no_info(result, batch_rank);
        }
        let b = self.builder();
        let mut first = result;
        while b.shape(first).rank() > batch_rank {
            first = b.index_axis(first, batch_rank, 0);
        }
        let failed = b.compare(Compare::Ne, first, first);
        b.convert(failed, DType::I32)
    }

    /// R comes from `qr`, which has derivatives; the reflectors below it are constants to derivatives, and only the product that
    /// [`Importer::orthogonal_factor`] recognises takes part in them.
    fn geqrf(&mut self, a: Atom) -> Result<Vec<Atom>> {
        let aval = self.aval(a);
        let rank = aval.rank();
        let taus = self.emit(Linalg::Geqrf, &[a])?[1];
        let r = self.emit(Linalg::Qr { full_matrices: false }, &[a])?[1];
        let fixed = self.builder().emit1(Op::StopGradient, &[a]);
        let packed = self.emit(Linalg::Geqrf, &[fixed])?[0];
        let b = self.builder();
        let mut padding = vec![PadDim::default(); rank];
        padding[rank - 2].high = (aval.shape[rank - 2] - b.shape(r)[rank - 2]) as i64;
        let r = b.pad(r, Scalar::zero(aval.dtype).into(), &padding);
        let (row, column) = (b.iota(DType::I32, &aval.shape, rank - 2), b.iota(DType::I32, &aval.shape, rank - 1));
        let below = b.compare(Compare::Gt, row, column);
        Ok(vec![b.select(below, packed, r), taus])
    }

    /// The product of reflectors; Q of `qr` where they come from `geqrf`, perhaps with columns added to make Q square.
    fn orthogonal_factor(&mut self, operation: &Operation, inputs: &[Atom]) -> Result<Vec<Atom>> {
        let &[reflectors, taus] = inputs else {
            return Err(malformed(operation, format!("expected 2 operands, found {}", inputs.len())));
        };
        if let Some(a) = self.factored(reflectors, taus) {
            let (given, wanted) = (self.aval(a), self.aval(reflectors));
            let (rows, cols) = (given.shape[given.rank() - 2], given.shape[given.rank() - 1]);
            let columns = wanted.shape[wanted.rank() - 1];
            for (full_matrices, found) in [(false, rows.min(cols)), (true, rows)] {
                if found == columns {
                    return Ok(vec![self.emit(Linalg::Qr { full_matrices }, &[a])?[0]]);
                }
            }
        }
        self.emit(Linalg::HouseholderProduct, inputs)
    }

    /// The matrix that `geqrf` was given, if both operands come from one import of it.
    fn factored(&mut self, reflectors: Atom, taus: Atom) -> Option<Atom> {
        let eqns = &self.builder().program().eqns;
        let defining = |atom: Atom| -> Option<&Eqn> {
            let v = atom.var()?;
            eqns.iter().rev().find(|eqn| eqn.outputs.contains(&v))
        };
        let factorisation = defining(taus).filter(|eqn| eqn.op == Op::Linalg(Linalg::Geqrf))?;
        let mut source = defining(reflectors)?;
        if matches!(source.op, Op::Pad { .. } | Op::Concatenate { .. } | Op::Slice(_)) {
            source = defining(source.inputs[0])?;
        }
        // The selection between the reflectors and R.
        let packed = (source.op == Op::Select).then(|| source.inputs.last().copied()).flatten()?;
        let packed = defining(packed).filter(|eqn| eqn.op == Op::Linalg(Linalg::Geqrf))?;
        let fixed = defining(packed.inputs[0]).filter(|eqn| eqn.op == Op::StopGradient)?;
        (fixed.inputs[0] == factorisation.inputs[0]).then_some(fixed.inputs[0])
    }

    fn gesdd(&mut self, operation: &Operation, a: Atom, mode: char, batch_rank: usize) -> Result<Vec<Atom>> {
        let (full_matrices, compute_uv) = match mode {
            'A' => (true, true),
            'S' => (false, true),
            'N' => (false, false),
            _ => return Err(malformed(operation, format!("mode {mode} is not known"))),
        };
        let y = self.emit(Linalg::Svd { full_matrices, compute_uv }, &[a])?;
        let info = self.info(y[0], batch_rank);
        let mut outputs = vec![a];
        outputs.extend(&y);
        if !compute_uv {
            for &result in operation.results.iter().skip(2).take(2) {
                let aval = self.value_aval(result)?;
                let zeros = self.builder().zeros(&aval);
                outputs.push(zeros);
            }
        }
        outputs.push(info);
        Ok(outputs)
    }
}

/// An integer among the parameters of a custom call.
pub(super) fn config(operation: &Operation, name: &str) -> Result<i64> {
    let configs = ["backend_config", "mhlo.backend_config"].map(|key| operation.attributes.get(key));
    let found = configs
        .into_iter()
        .flatten()
        .find_map(|config| if let Attribute::Dict(entries) = config { entries.get(name) } else { None });
    match found {
        Some(Attribute::Int(value)) => Ok(*value),
        Some(Attribute::Bool(value)) => Ok(*value as i64),
        _ => Err(malformed(operation, format!("the backend config has no integer {name}"))),
    }
}
