//! Types of the dialect, by the numbers that the format has for them.

use rjax_ir::{DType, Narrow, Result};

use super::{Encoder, VHLO, Writer, unsupported};
use crate::mlir::{ElementType, Type};

impl Writer<'_> {
    pub(super) fn vhlo_type(&mut self, write: impl FnOnce(&mut Self, &mut Encoder) -> Result<()>) -> Result<u64> {
        let mut encoder = Encoder::default();
        write(self, &mut encoder)?;
        Ok(self.types.number((VHLO, encoder.bytes)))
    }

    pub(super) fn element_type(&mut self, element: &ElementType) -> Result<u64> {
        let complex = match element {
            ElementType::DType(dtype) => dtype.is_complex().then(|| dtype.real()),
            ElementType::Index | ElementType::Other(_) => None,
        };
        if let Some(part) = complex {
            let part = self.element_type(&ElementType::DType(part))?;
            return self.vhlo_type(|_, e| {
                e.varint(1);
                e.varint(part);
                Ok(())
            });
        }
        let code = match element {
            ElementType::DType(dtype) => dtype_code(*dtype),
            ElementType::Index => 9,
            ElementType::Other(name) => {
                let known = OTHER_ELEMENTS.iter().find(|(known, _)| known == name);
                known.ok_or_else(|| unsupported(format!("element type {name} cannot be written")))?.1
            }
        };
        self.vhlo_type(|_, e| {
            e.varint(code);
            Ok(())
        })
    }

    pub(super) fn ty(&mut self, ty: &Type) -> Result<u64> {
        match ty {
            Type::Tensor { shape, element } => {
                let extents = shape.iter().map(|e| e.map_or(Ok(i64::MIN), i64::try_from));
                let extents: Vec<i64> =
                    extents.collect::<Result<_, _>>().map_err(|_| unsupported(format!("{ty} is too large")))?;
                let element = self.element_type(element)?;
                self.vhlo_type(|_, e| {
                    e.varint(20);
                    e.signed_list(&extents);
                    e.varint(element);
                    Ok(())
                })
            }
            Type::Token => self.vhlo_type(|_, e| {
                e.varint(22);
                Ok(())
            }),
            Type::Tuple(types) => self.vhlo_type(|w, e| {
                e.varint(23);
                w.type_list(types, e)
            }),
            Type::Function(inputs, outputs) => self.vhlo_type(|w, e| {
                e.varint(8);
                w.type_list(inputs, e)?;
                w.type_list(outputs, e)
            }),
            Type::Other(name) if name == "none" => self.vhlo_type(|_, e| {
                e.varint(33);
                Ok(())
            }),
            Type::Other(name) => Err(unsupported(format!("type {name} cannot be written"))),
        }
    }

    pub(super) fn type_list(&mut self, types: &[Type], e: &mut Encoder) -> Result<()> {
        let numbers = types.iter().map(|ty| self.ty(ty)).collect::<Result<Vec<_>>>()?;
        e.varint(numbers.len() as u64);
        numbers.into_iter().for_each(|number| e.varint(number));
        Ok(())
    }

    pub(super) fn dtype(&mut self, dtype: DType) -> Result<u64> {
        self.element_type(&ElementType::DType(dtype))
    }
}

fn dtype_code(dtype: DType) -> u64 {
    match dtype {
        DType::Bool => 0,
        DType::BF16 => 2,
        DType::F16 => 3,
        DType::F32 => 4,
        DType::F64 => 5,
        DType::I8 => 11,
        DType::I16 => 12,
        DType::I32 => 13,
        DType::I64 => 14,
        DType::U8 => 16,
        DType::U16 => 17,
        DType::U32 => 18,
        DType::U64 => 19,
        DType::C64 | DType::C128 => 1,
        DType::Narrow(narrow) => match narrow {
            Narrow::F8E4M3FN => 6,
            Narrow::F8E5M2 => 7,
            Narrow::I4 => 10,
            Narrow::U4 => 15,
            Narrow::F8E4M3FNUZ => 27,
            Narrow::F8E5M2FNUZ => 28,
            Narrow::F8E4M3B11FNUZ => 29,
            Narrow::I2 => 31,
            Narrow::U2 => 32,
            Narrow::F8E4M3 => 35,
            Narrow::F8E3M4 => 36,
            Narrow::F8E8M0FNU => 40,
        },
    }
}

/// The element types that programs do not have, by the names that the readers give them.
const OTHER_ELEMENTS: &[(&str, u64)] = &[("tf32", 34), ("f4E2M1FN", 37), ("f6E2M3FN", 38), ("f6E3M2FN", 39)];
