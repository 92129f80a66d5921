//! Numerical linear algebra and Fourier transforms, shared by the interpreter and by compiled code.
//!
//! Factorisations of one matrix at a time; who calls runs over the batch. Triangular algorithms (Cholesky, LU, solves) work in
//! the precision of their operands, in blocks around one matrix product. Orthogonal and spectral ones (QR, eigenvalues,
//! singular values) are written for double precision only, and single precision is computed in it and rounded once.
//! Conventions where a factor is not unique are LAPACK's: the sign of reflectors, the choice of pivots.

mod cholesky;
mod columns;
mod divide;
mod eigen;
mod field;
mod fourier;
mod hermitian;
mod jacobi;
mod kernels;
mod lanes;
mod lu;
mod passes;
mod qd;
mod reflect;
mod rotations;
mod schur;
mod secular;
mod singular;
mod strips;
mod triangular;
mod tridiagonal;

pub use cholesky::{cholesky, cholesky_lanes};
pub use columns::Columns;
pub use eigen::{Eigen, eigen};
pub use field::{Double, Field};
pub use fourier::{Direction, FourierPart, InOrder, Pieces, fourier, fourier_of_real, leading, real_of_fourier};
pub use hermitian::{HermitianTridiagonal, eigh, tridiagonalize};
pub use jacobi::{Mask, singular_values_lanes};
pub use kernels::{Kernels, LANES, Plain, View, deinterleave, interleave, subtract_product};
pub use lanes::{geqrf_lanes, householder_product_lanes, qr_lanes};
pub use lu::{lu, lu_lanes, permutation};
pub use passes::{axpy, dot, hermitian_product, hermitian_update, reflect_columns, reflect_rows};
pub use reflect::{geqrf, hessenberg, householder_product};
pub use rotations::{Chain, Rotations, rotate, rotate_rows};
pub use schur::{Schur, SchurForm};
pub use secular::secular;
pub use singular::{Singular, Vectors, svd};
pub use strips::{STRIP, adjoint_product, factor, substitute};
pub use triangular::{Triangle, triangular_solve, triangular_solve_lanes};
pub use tridiagonal::tridiagonal_solve;
