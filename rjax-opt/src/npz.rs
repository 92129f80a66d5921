//! Arrays in numpy's npz files.
//!
//! Types that numpy lacks are stored as unsigned integers of the same width, so an array has a dtype only together with the
//! program's signature, which says what the bits are.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};

use rjax_ir::{Aval, DType, Shape, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::Result;
use crate::npy::Header;

/// An array as it is stored.
pub struct Stored {
    header: Header,
    bytes: Vec<u8>,
}

/// The arrays `in0`, `in1`, … of a file, as many as there are.
pub fn read(path: &str) -> Result<Vec<Stored>> {
    let file = File::open(path).map_err(|e| format!("{path}: {e}"))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| format!("{path}: not an npz file: {e}"))?;
    let numbered = |name: &str| name.strip_prefix("in")?.strip_suffix(".npy")?.parse::<usize>().ok();
    let names = archive.file_names().filter_map(|name| name.ok());
    let mut present: Vec<usize> = names.filter_map(|name| numbered(&name)).collect();
    present.sort();
    if let Some((missing, _)) = present.iter().enumerate().find(|&(expected, &found)| expected != found) {
        return Err(format!("{path}: there is no array in{missing}, but in{} is there", present[missing]));
    }
    present.iter().map(|index| array(&mut archive, path, &format!("in{index}"))).collect()
}

/// All arrays of a file by name.
pub fn read_all(path: &str) -> Result<Vec<(String, Stored)>> {
    let file = File::open(path).map_err(|e| format!("{path}: {e}"))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| format!("{path}: not an npz file: {e}"))?;
    let names: Vec<String> =
        archive.file_names().filter_map(|name| name.ok()?.strip_suffix(".npy").map(str::to_string)).collect();
    names.into_iter().map(|name| Ok((name.clone(), array(&mut archive, path, &name)?))).collect()
}

fn array(archive: &mut ZipArchive<BufReader<File>>, path: &str, name: &str) -> Result<Stored> {
    let broken = |e: String| format!("{path}: array {name}: {e}");
    let mut entry = archive.by_name(&format!("{name}.npy")).map_err(|e| broken(e.to_string()))?;
    let header = Header::read(&mut entry).map_err(broken)?;
    let mut bytes = vec![];
    entry.read_to_end(&mut bytes).map_err(|e| broken(e.to_string()))?;
    Ok(Stored { header, bytes })
}

/// The types that an array of this dtype may be stored as, without byte order; the first one is written.
fn stored_types(dtype: DType) -> &'static [&'static str] {
    match dtype {
        DType::Bool => &["b1", "u1"],
        DType::I8 => &["i1"],
        DType::I16 => &["i2"],
        DType::I32 => &["i4"],
        DType::I64 => &["i8"],
        DType::U8 => &["u1"],
        DType::U16 => &["u2"],
        DType::U32 => &["u4"],
        DType::U64 => &["u8"],
        DType::F16 => &["f2"],
        DType::BF16 => &["u2", "V2"],
        DType::F32 => &["f4"],
        DType::F64 => &["f8"],
        DType::C64 => &["c8"],
        DType::C128 => &["c16"],
        DType::Narrow(_) => &["u1", "V1", "i1", "f1"],
    }
}

impl Stored {
    /// The extents.
    pub fn shape(&self) -> &Shape {
        &self.header.shape
    }

    /// The array as a value of the type that the program wants.
    pub fn into_tensor(self, name: &str, wanted: &Aval) -> Result<Tensor> {
        let Header { descr, column_major, shape } = self.header;
        if shape != wanted.shape {
            return Err(format!("{name}: the array has shape {shape}, the program wants {wanted}"));
        }
        let types = stored_types(wanted.dtype);
        let (byte_order, stored_type) = descr.split_at(descr.len().min(1));
        if !types.contains(&stored_type) {
            let stored_as = types.join(" or ");
            return Err(format!(
                "{name}: the array has numpy type {descr}, the program wants {wanted}, stored as {stored_as}"
            ));
        }
        let mut bytes = self.bytes;
        if bytes.len() != wanted.bytes() {
            return Err(format!("{name}: the array has {} bytes, {wanted} needs {}", bytes.len(), wanted.bytes()));
        }
        let swapped = match byte_order {
            ">" => cfg!(target_endian = "little"),
            "<" => cfg!(target_endian = "big"),
            _ => false,
        };
        if swapped {
            bytes.chunks_mut(wanted.dtype.real().size()).for_each(<[u8]>::reverse);
        }
        let bytes = if column_major { row_major(&bytes, &shape, wanted.dtype.size()) } else { bytes };
        Ok(Tensor::from_bytes(wanted, &bytes))
    }
}

/// Elements of `size` bytes whose first axis varies fastest, reordered so that the last one does.
fn row_major(bytes: &[u8], shape: &Shape, size: usize) -> Vec<u8> {
    let mut result = Vec::with_capacity(bytes.len());
    for index in shape.indices() {
        let position = index.iter().zip(shape.iter()).rev().fold(0, |position, (&i, &extent)| position * extent + i);
        result.extend_from_slice(&bytes[position * size..][..size]);
    }
    result
}

/// Writes `out0`, `out1`, ….
pub fn write(path: &str, outputs: &[Tensor]) -> Result<()> {
    let broken = |e: std::io::Error| format!("{path}: {e}");
    let file = File::create(path).map_err(broken)?;
    let mut archive = ZipWriter::new(BufWriter::new(file));
    for (index, output) in outputs.iter().enumerate() {
        let aval = output.aval();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(output.aval().bytes() >= u32::MAX as usize);
        archive.start_file(format!("out{index}.npy"), options).map_err(|e| format!("{path}: {e}"))?;
        let byte_order = match (aval.dtype.size(), cfg!(target_endian = "little")) {
            (1, _) => '|',
            (_, true) => '<',
            (_, false) => '>',
        };
        let descr = format!("{byte_order}{}", stored_types(aval.dtype)[0]);
        let header = Header { descr, column_major: false, shape: aval.shape };
        archive.write_all(&header.bytes()).map_err(broken)?;
        archive.write_all(&output.to_bytes()).map_err(broken)?;
    }
    archive.finish().map_err(|e| format!("{path}: {e}"))?.into_inner().map_err(|e| broken(e.into_error())).map(drop)
}
