//! Linear algebra: the two operations that StableHLO has.

use rjax_ir::{Aval, Compare, Linalg, Op, Result, Scalar, Unary};
use rjax_ir::{Binary, DType};

use super::{Block, Exporter, int, name, unsupported};
use crate::mlir::{Attribute, Value};

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
            | Linalg::TridiagonalSolve => {
                Err(unsupported(op, "StableHLO has no such operation, and it is not written with others yet"))
            }
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
