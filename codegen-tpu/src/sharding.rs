//! Inputs split over a mesh of devices. The program stays one program on whole arrays, and the consumer partitions it.

use std::sync::Arc;

use rjax_ir::{Aval, Error, ErrorKind, Result};

/// For each axis of an array the axis of the mesh that it is split along, if any. Axes beyond the end are whole.
pub type Sharding = Vec<Option<Arc<str>>>;

fn wrong(input: usize, what: String) -> Error {
    Error::new(ErrorKind::Parameter, format!("export: sharding of input {input}: {what}"))
}

/// The sharding of an input in the notation of HLO: `{devices=[2,1,2]<=[2,2]T(1,0) last_tile_dim_replicate}`. The devices of the mesh are
/// numbered with its last axis varying fastest; along axes of the mesh that split nothing they hold the same.
pub(super) fn notation(input: usize, aval: &Aval, sharding: &Sharding, mesh: &[(Arc<str>, usize)]) -> Result<String> {
    if sharding.len() > aval.rank() {
        return Err(wrong(input, format!("it names {} axes, and {aval} has {}", sharding.len(), aval.rank())));
    }
    let mut order = vec![];
    let mut tiles = vec![1; aval.rank()];
    for (axis, name) in sharding.iter().enumerate() {
        let Some(name) = name else { continue };
        let Some(place) = mesh.iter().position(|(known, _)| known == name) else {
            return Err(wrong(input, format!("the mesh has no axis {name}")));
        };
        let extent = mesh[place].1;
        if order.contains(&place) {
            return Err(wrong(input, format!("{name} splits two of its axes")));
        }
        if !aval.shape[axis].is_multiple_of(extent) {
            let what = format!("axis {axis} of {aval} cannot be split in {extent} equal parts along {name}");
            return Err(wrong(input, what));
        }
        order.push(place);
        tiles[axis] = extent;
    }
    if order.is_empty() {
        return Ok("{replicated}".to_string());
    }
    let others: Vec<usize> = (0..mesh.len()).filter(|place| !order.contains(place)).collect();
    let copies: usize = others.iter().map(|&place| mesh[place].1).product();
    let last = if copies > 1 {
        tiles.push(copies);
        " last_tile_dim_replicate"
    } else {
        ""
    };
    order.extend(others);
    let list = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let extents: Vec<usize> = mesh.iter().map(|(_, extent)| *extent).collect();
    let devices = if order.is_sorted() {
        format!("[{}]", extents.iter().product::<usize>())
    } else {
        format!("[{}]T({})", list(&extents), list(&order))
    };
    Ok(format!("{{devices=[{}]<={devices}{last}}}", list(&tiles)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rjax_ir::DType;

    #[test]
    fn shardings_are_written_as_hlo_has_them() {
        let mesh = [("data".into(), 2), ("model".into(), 4)];
        let of = |shape: &[usize], names: &[&str]| {
            let names = names.iter().map(|name| (!name.is_empty()).then(|| (*name).into())).collect();
            notation(0, &Aval::new(DType::F32, shape), &names, &mesh).map_err(|e| e.message)
        };
        let text = |shape: &[usize], names: &[&str]| of(shape, names).expect("it fits");
        assert_eq!(text(&[8, 8], &[]), "{replicated}");
        assert_eq!(text(&[8, 8], &["data", "model"]), "{devices=[2,4]<=[8]}");
        assert_eq!(text(&[8, 8], &["model", "data"]), "{devices=[4,2]<=[2,4]T(1,0)}");
        assert_eq!(text(&[8, 8], &["data"]), "{devices=[2,1,4]<=[8] last_tile_dim_replicate}");
        assert_eq!(text(&[8, 8], &["", "model"]), "{devices=[1,4,2]<=[2,4]T(1,0) last_tile_dim_replicate}");
        let error = |shape: &[usize], names: &[&str]| of(shape, names).expect_err("it does not fit");
        let start = "export: sharding of input 0:";
        assert_eq!(error(&[8], &["row"]), format!("{start} the mesh has no axis row"));
        assert_eq!(error(&[8], &["", "data"]), format!("{start} it names 2 axes, and f32[8] has 1"));
        assert_eq!(error(&[8, 8], &["data", "data"]), format!("{start} data splits two of its axes"));
        assert_eq!(
            error(&[6], &["model"]),
            format!("{start} axis 0 of f32[6] cannot be split in 4 equal parts along model")
        );
    }
}
