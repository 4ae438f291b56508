//! Finds what JSON text would not keep faithfully, before anything is written.
//!
//! `serde_json` writes a number that is not finite as `null` and a NUL character as `\u0000`; the first loses the
//! value in silence, the second is refused by databases when the document is queried. This pass walks the value with
//! a serializer that has no output, so that such values are refused with the path of the field (G13).

use std::fmt::{self, Display, Write as _};

use serde::ser::{self, Serialize, Serializer};

use super::EncodeError;
use crate::limits::MAX_PAYLOAD_DEPTH;

/// Refuses values that have no faithful JSON form.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), EncodeError> {
    value
        .serialize(Check { at: &Path::Root, depth: 0, in_some: false, is_raw: false })
        .map_err(|Refusal(error)| *error)
}

/// Where in the value the check is: a list on the call stack, turned into text only for an error.
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Element(&'a Path<'a>, usize),
    Entry(&'a Path<'a>),
}

impl Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Field(parent, name) => {
                parent.fmt(formatter)?;
                if !matches!(parent, Path::Root) {
                    formatter.write_char('.')?;
                }
                formatter.write_str(name)
            }
            Path::Element(parent, index) => write!(formatter, "{parent}[{index}]"),
            Path::Entry(parent) => write!(formatter, "{parent}[…]"),
        }
    }
}

/// What stops the walk; boxed, because every step returns it.
#[derive(Debug)]
struct Refusal(Box<EncodeError>);

impl Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: Display>(message: T) -> Self {
        Self(Box::new(EncodeError::json(<serde_json::Error as ser::Error>::custom(message))))
    }
}

#[derive(Clone, Copy)]
struct Check<'a> {
    at: &'a Path<'a>,
    depth: usize,
    /// Whether the value is that of a `Some`, which JSON writes as the value alone.
    in_some: bool,
    /// Whether the value is the text of a [`RawValue`](serde_json::value::RawValue), which JSON writes as it is.
    is_raw: bool,
}

/// How a `RawValue` shows itself to a serializer: as a struct of this name, with a field of the same name.
const RAW: &str = "$serde_json::private::RawValue";

impl<'a> Check<'a> {
    fn finite(self, finite: bool) -> Result<(), Refusal> {
        if finite {
            return Ok(());
        }
        Err(Refusal(Box::new(EncodeError::NotFinite { path: self.at.to_string() })))
    }

    fn text(self, text: &str) -> Result<(), Refusal> {
        if self.is_raw {
            let value: Result<serde_json::Value, _> = serde_json::from_str(text);
            let value = value.map_err(|error| Refusal(Box::new(EncodeError::json(error))))?;
            return value.serialize(Check { is_raw: false, ..self });
        }
        if !text.contains('\0') {
            return Ok(());
        }
        Err(Refusal(Box::new(EncodeError::Nul { path: self.at.to_string() })))
    }

    /// A value without content, which JSON writes as `null`: within a `Some` it would be read back as `None`.
    fn null(self) -> Result<(), Refusal> {
        if !self.in_some {
            return Ok(());
        }
        Err(Refusal(Box::new(EncodeError::LostSome { path: self.at.to_string() })))
    }

    /// One level deeper, for an array or an object.
    fn nested(self) -> Result<Elements<'a>, Refusal> {
        if self.depth == MAX_PAYLOAD_DEPTH {
            return Err(Refusal(Box::new(EncodeError::TooDeep)));
        }
        Ok(Elements { at: self.at, depth: self.depth + 1, index: 0 })
    }

    /// An externally tagged variant is an object around its content.
    fn nested_twice(self) -> Result<Elements<'a>, Refusal> {
        let outer = self.nested()?;
        Check { at: outer.at, depth: outer.depth, in_some: false, is_raw: false }.nested()
    }
}

macro_rules! accept {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(#[inline] fn $method(self, _: $type) -> Result<(), Refusal> { Ok(()) })*
    };
}

impl<'a> Serializer for Check<'a> {
    type Ok = ();
    type Error = Refusal;
    type SerializeSeq = Elements<'a>;
    type SerializeTuple = Elements<'a>;
    type SerializeTupleStruct = Elements<'a>;
    type SerializeTupleVariant = Elements<'a>;
    type SerializeMap = Elements<'a>;
    type SerializeStruct = Elements<'a>;
    type SerializeStructVariant = Elements<'a>;

    accept! {
        serialize_bool: bool,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_bytes: &[u8],
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Refusal> {
        self.null()
    }

    #[inline]
    fn serialize_f32(self, number: f32) -> Result<(), Refusal> {
        self.finite(number.is_finite())
    }

    #[inline]
    fn serialize_f64(self, number: f64) -> Result<(), Refusal> {
        self.finite(number.is_finite())
    }

    #[inline]
    fn serialize_char(self, character: char) -> Result<(), Refusal> {
        self.text(character.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Refusal> {
        self.text(text)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Refusal> {
        /// Looks at the pieces of a formatted value without collecting them.
        struct Scan {
            nul: bool,
        }
        impl fmt::Write for Scan {
            fn write_str(&mut self, piece: &str) -> fmt::Result {
                self.nul |= piece.contains('\0');
                Ok(())
            }
        }
        let mut scan = Scan { nul: false };
        write!(scan, "{value}").map_err(ser::Error::custom)?;
        self.text(if scan.nul { "\0" } else { "" })
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Refusal> {
        self.null()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refusal> {
        value.serialize(Check { in_some: true, ..self })
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Refusal> {
        self.null()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refusal> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refusal> {
        let inside = self.nested()?;
        value.serialize(Check { at: inside.at, depth: inside.depth, in_some: false, is_raw: false })
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Elements<'a>, Refusal> {
        self.nested()
    }

    fn serialize_tuple(self, _: usize) -> Result<Elements<'a>, Refusal> {
        self.nested()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, Refusal> {
        self.nested()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, Refusal> {
        self.nested_twice()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Elements<'a>, Refusal> {
        self.nested()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Elements<'a>, Refusal> {
        self.nested()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Elements<'a>, Refusal> {
        self.nested_twice()
    }
}

/// What is inside an array or an object.
struct Elements<'a> {
    at: &'a Path<'a>,
    depth: usize,
    index: usize,
}

impl Elements<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        value.serialize(Check {
            at: &Path::Element(self.at, self.index),
            depth: self.depth,
            in_some: false,
            is_raw: false,
        })?;
        self.index += 1;
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), Refusal> {
        if name == RAW {
            // It stands for the text alone, without an object around it.
            let depth = self.depth - 1;
            return value.serialize(Check { at: self.at, depth, in_some: false, is_raw: true });
        }
        value.serialize(Check {
            at: &Path::Field(self.at, name),
            depth: self.depth,
            in_some: false,
            is_raw: false,
        })
    }

    fn entry<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Refusal> {
        value.serialize(Check {
            at: &Path::Entry(self.at),
            depth: self.depth,
            in_some: false,
            is_raw: false,
        })
    }
}

macro_rules! elements {
    ($($compound:ident::$method:ident),* $(,)?) => {$(
        impl ser::$compound for Elements<'_> {
            type Ok = ();
            type Error = Refusal;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
                self.element(value)
            }

            fn end(self) -> Result<(), Refusal> {
                Ok(())
            }
        }
    )*};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
);

macro_rules! fields {
    ($($compound:ident),*) => {$(
        impl ser::$compound for Elements<'_> {
            type Ok = ();
            type Error = Refusal;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refusal> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Refusal> {
                Ok(())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Elements<'_> {
    type Ok = ();
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refusal> {
        self.entry(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        self.entry(value)
    }

    fn end(self) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Reading {
        name: String,
        values: Vec<f64>,
    }

    fn refused<T: Serialize>(value: &T) -> String {
        check(value).unwrap_err().to_string()
    }

    #[test]
    fn g13_raw_json_is_held_to_the_same_limits() {
        #[derive(Serialize)]
        struct Wrapped {
            raw: Box<serde_json::value::RawValue>,
        }
        let wrap = |json: &str| Wrapped {
            raw: serde_json::value::RawValue::from_string(json.to_owned()).unwrap(),
        };
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for json in
            [r#""a\u0000b""#, r#""\ud800""#, "1e999", &deep(100_000), &deep(MAX_PAYLOAD_DEPTH)]
        {
            assert!(check(&wrap(json)).is_err(), "{json:.20}");
        }
        check(&wrap(&deep(MAX_PAYLOAD_DEPTH - 1))).unwrap();
        check(&wrap(r#"{"a": [1, "b"]}"#)).unwrap();
    }

    #[test]
    fn g13_numbers_that_are_not_finite_are_refused_with_their_path() {
        let reading = Reading { name: "a".into(), values: vec![1.0, f64::NAN] };
        assert!(refused(&reading).contains("values[1]"), "{}", refused(&reading));
        let named =
            BTreeMap::from([("room", Reading { name: "a".into(), values: vec![f64::INFINITY] })]);
        assert!(refused(&named).contains("[…].values[0]"), "{}", refused(&named));
        assert!(check(&Reading { name: "a".into(), values: vec![f64::MAX] }).is_ok());
        assert!(check(&f32::NEG_INFINITY).is_err());
    }

    #[test]
    fn g13_nul_characters_are_refused_in_text_and_in_keys() {
        assert!(refused(&Reading { name: "a\0".into(), values: vec![] }).contains("name"));
        assert!(check(&BTreeMap::from([("k\0", 1)])).is_err());
        assert!(check(&'\0').is_err());
        assert!(check(&format_args!("{}", "a\0b")).is_err());
    }

    #[test]
    fn g13_a_some_that_would_be_read_back_as_none_is_refused() {
        assert!(refused(&[Some(None::<u8>)]).contains("[0]"));
        assert!(check(&Some(())).is_err());
        assert!(check(&(None::<u8>, Some(Some(1)), Some([None::<u8>]))).is_ok());
    }

    #[test]
    fn g13_what_could_not_be_read_back_for_its_depth_is_refused() {
        let nested =
            |levels| (0..levels).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert!(check(&nested(MAX_PAYLOAD_DEPTH)).is_ok());
        assert!(matches!(check(&nested(MAX_PAYLOAD_DEPTH + 1)), Err(EncodeError::TooDeep)));
    }
}
