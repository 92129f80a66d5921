//! Linear algebra: the two operations that StableHLO has, and the others as loops of plain array operations.
//!
//! LU and the Householder factorisations are LAPACK's unblocked algorithms, eigenvalues of Hermitian matrices and singular values Jacobi's,
//! general eigenvalues and the Schur form the QR algorithm. All work in the precision of their operands, where the reference
//! interpreter has double precision for most of them.

mod eigenvectors;
mod jacobi;
mod lu;
mod matrices;
mod reflect;
mod schur;
mod shifts;

use rjax_ir::{Atom, Aval, Binary, Builder, Compare, DType, Linalg, Op, Result, Scalar, Unary};

use rjax_stablehlo::mlir::{Attribute, Value};

use self::matrices::Matrices;
use super::{Block, Exporter, int, name};

/// The results of an op, where it is written with others; `None` for those that StableHLO has.
pub(super) fn decompose(
    b: &mut Builder,
    linalg: Linalg,
    x: &[Atom],
    inputs: &[Aval],
    results: &[Aval],
) -> Option<Vec<Atom>> {
    let rank = linalg.batch_rank(&inputs[0]);
    let m = &mut Matrices { b, dtype: inputs[0].dtype, batch: inputs[0].shape[..rank].to_vec() };
    let extents = |aval: &Aval| [aval.shape[rank], aval.shape[rank + 1]];
    Some(match linalg {
        Linalg::Lu => {
            let [rows, cols] = extents(&inputs[0]);
            lu::lu(m, x[0], rows, cols)
        }
        Linalg::Qr { .. } => reflect::qr(m, x[0], extents(&inputs[0]), extents(&results[0])[1]).to_vec(),
        Linalg::Geqrf => reflect::geqrf(m, x[0], extents(&inputs[0])).to_vec(),
        Linalg::HouseholderProduct => {
            let [rows, cols] = extents(&inputs[0]);
            vec![reflect::householder_product(m, [x[0], x[1]], rows, cols)]
        }
        Linalg::Hessenberg => reflect::hessenberg(m, x[0], extents(&inputs[0])[0]).to_vec(),
        Linalg::Eigh { lower } => jacobi::eigh(m, x[0], extents(&inputs[0])[0], lower).to_vec(),
        Linalg::Svd { full_matrices, compute_uv } => {
            jacobi::svd(m, x[0], extents(&inputs[0]), full_matrices, compute_uv)
        }
        Linalg::TridiagonalSolve => {
            let [n, others] = extents(&inputs[3]);
            vec![lu::tridiagonal_solve(m, x, n, others)]
        }
        Linalg::Eig { left, right } => schur::eig(m, x[0], extents(&inputs[0])[0], [left, right]),
        Linalg::Schur { vectors } => schur::schur(m, x[0], extents(&inputs[0])[0], vectors),
        Linalg::Cholesky | Linalg::TriangularSolve { .. } => return None,
    })
}

impl Exporter<'_> {
    pub(super) fn linalg(
        &mut self,
        block: &mut Block,
        op: &Op,
        linalg: Linalg,
        operands: &[Value],
        result: &Aval,
    ) -> Result<Value> {
        match linalg {
            Linalg::Cholesky => {
                let attributes = vec![("lower", Attribute::Bool(true))];
                let result = std::slice::from_ref(result);
                let factor = self.operation(block, "cholesky", operands, attributes, vec![], result)[0];
                Ok(self.lower_triangle(block, factor))
            }
            Linalg::TriangularSolve { left_side, lower, transpose_a, conjugate_a, unit_diagonal } => {
                let mut a = operands[0];
                let conjugate = conjugate_a && result.dtype.is_complex();
                if conjugate && !transpose_a {
                    a = self.conjugate(block, a);
                }
                let transpose = match (transpose_a, conjugate) {
                    (false, _) => "NO_TRANSPOSE",
                    (true, false) => "TRANSPOSE",
                    (true, true) => "ADJOINT",
                };
                let attributes = vec![
                    ("left_side", Attribute::Bool(left_side)),
                    ("lower", Attribute::Bool(lower)),
                    ("unit_diagonal", Attribute::Bool(unit_diagonal)),
                    ("transpose_a", name(transpose)),
                ];
                let given = [a, operands[1]];
                let result = std::slice::from_ref(result);
                Ok(self.operation(block, "triangular_solve", &given, attributes, vec![], result)[0])
            }
            Linalg::Lu
            | Linalg::Qr { .. }
            | Linalg::Geqrf
            | Linalg::HouseholderProduct
            | Linalg::Eigh { .. }
            | Linalg::Svd { .. }
            | Linalg::Eig { .. }
            | Linalg::Schur { .. }
            | Linalg::Hessenberg
            | Linalg::TridiagonalSolve => unreachable!("{} is always expanded", op.name()),
        }
    }

    fn conjugate(&mut self, block: &mut Block, z: Value) -> Value {
        let aval = self.aval(z);
        let part = aval.with_dtype(aval.dtype.real());
        let (re, im) = (self.unary(block, Unary::Real, z, &part), self.unary(block, Unary::Imag, z, &part));
        let im = self.unary(block, Unary::Neg, im, &part);
        self.simple(block, super::elementwise::binary(Binary::Complex), &[re, im], &aval)
    }

    /// Zeros above the diagonal, where consumers may leave anything.
    fn lower_triangle(&mut self, block: &mut Block, x: Value) -> Value {
        let aval = self.aval(x);
        let positions = aval.with_dtype(DType::I32);
        let [row, column] = [aval.rank() - 2, aval.rank() - 1].map(|axis| {
            let attributes = vec![("iota_dimension", int(axis))];
            self.operation(block, "iota", &[], attributes, vec![], std::slice::from_ref(&positions))[0]
        });
        let below = self.compare(block, Compare::Ge, row, column);
        let zeros = self.full(block, Scalar::zero(aval.dtype), &aval.shape);
        self.simple(block, "select", &[below, x, zeros], &aval)
    }
}
