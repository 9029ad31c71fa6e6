//! The tree that JSON documents are read into and written from.
//!
//! One [`Value`] type serves every format. Numbers keep their exact value as long as they fit 64
//! bits; look-ups by path answer `None` for anything that is absent or of another type, because an
//! engine may leave out or retype any field.
//!
//! An [`Object`] keeps the order in which keys were inserted, so that what is written is stable and
//! readable, and stays fast however many keys a hostile document has. Nothing here parses or
//! limits depth; that is the parser's job.

use std::collections::HashMap;
use std::fmt;

/// Any JSON value.
///
/// ```
/// use pocketdock_core::wire::value::Value;
///
/// let body = Value::object([
///     ("Image", "alpine".into()),
///     ("Cmd", ["true"].into()),
///     ("HostConfig", Value::object([("PidsLimit", 1024.into())])),
/// ]);
/// assert_eq!(body.str_at(&["Image"]), Some("alpine"));
/// assert_eq!(body.u64_at(&["HostConfig", "PidsLimit"]), Some(1024));
/// assert_eq!(body.str_at(&["HostConfig", "NetworkMode"]), None);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// The absence of a value.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer that fits an `i64`; every such integer is stored here.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A sequence.
    Array(Vec<Value>),
    /// Keys and their values.
    Object(Object),
}

impl Value {
    /// Makes an object of the given entries, the later of two equal keys winning.
    pub fn object<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Object(entries.into_iter().collect())
    }

    /// The value under `key`, if this is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key)
    }

    /// The value reached by following `path` through nested objects.
    ///
    /// An empty path leads to the value itself.
    ///
    /// ```
    /// use pocketdock_core::wire::json;
    ///
    /// let reply = json::parse(br#"{"State": {"Pid": 7, "Error": null, "Dead": false, "Exit": -1}}"#)?;
    /// assert_eq!(reply.i64_at(&["State", "Exit"]), Some(-1));
    /// assert_eq!(reply.bool_at(&["State", "Dead"]), Some(false));
    /// assert!(reply.at(&["State", "Error"]).is_some_and(|error| error.is_null()));
    ///
    /// let state = reply.at(&["State"]).unwrap();
    /// assert_eq!(state.as_object().map(|state| state.len()), Some(4));
    /// assert!(state.as_array().is_none());
    /// let pid = state.get("Pid").unwrap();
    /// assert_eq!((pid.as_u64(), pid.as_i64(), pid.as_f64()), (Some(7), Some(7), Some(7.0)));
    /// assert_eq!(pid.as_bool(), None);
    /// # Ok::<(), json::Error>(())
    /// ```
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The text at `path`.
    #[must_use]
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The unsigned integer at `path`.
    #[must_use]
    pub fn u64_at(&self, path: &[&str]) -> Option<u64> {
        self.at(path)?.as_u64()
    }

    /// The signed integer at `path`.
    #[must_use]
    pub fn i64_at(&self, path: &[&str]) -> Option<i64> {
        self.at(path)?.as_i64()
    }

    /// The truth value at `path`.
    #[must_use]
    pub fn bool_at(&self, path: &[&str]) -> Option<bool> {
        self.at(path)?.as_bool()
    }

    /// The elements of the array at `path`.
    #[must_use]
    pub fn array_at(&self, path: &[&str]) -> Option<&[Value]> {
        self.at(path)?.as_array()
    }

    /// Whether this is [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The number, if this is an integer from 0 to `u64::MAX`.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Uint(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if this is an integer that fits an `i64`.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if this is one; integers above 2^53 are rounded.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Uint(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The object, if this is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// From this many keys on an object has an index. Below it a scan, which mostly compares lengths,
/// costs less than hashing and a second copy of each key; engines send up to 70 keys.
const INDEX_FROM_LEN: usize = 128;

/// Keys and their values, in the order in which the keys were first inserted.
///
/// Two objects are equal if they have the same entries in any order.
///
/// ```
/// use pocketdock_core::wire::value::{Object, Value};
///
/// let mut labels = Object::new();
/// labels.insert("b", "old");
/// labels.insert("a", 1);
/// labels.insert("b", "new");
///
/// assert_eq!(labels.get("b"), Some(&Value::from("new")));
/// assert_eq!(labels.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["b", "a"]);
/// ```
#[derive(Clone, Default)]
pub struct Object {
    entries: Vec<(String, Value)>,
    /// Present from [`INDEX_FROM_LEN`] entries on, boxed to keep `Value` small.
    index: Option<Box<Index>>,
}

/// Where each key stands in the entries. The hashes are keyed with random bits by std, so a
/// document cannot be made to collide.
#[derive(Clone)]
struct Index(HashMap<String, usize>);

impl Object {
    /// An object without entries.
    #[must_use]
    pub fn new() -> Object {
        Object::default()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let (_, value) = self.entries.get(self.position(key)?)?;
        Some(value)
    }

    /// Puts `value` under `key`, replacing the value that is there.
    ///
    /// A replaced key keeps its place in the order.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let key = key.into();
        let position = self.position(&key);
        match position.and_then(|position| self.entries.get_mut(position)) {
            Some((_, old)) => *old = value.into(),
            None => self.push(key, value.into()),
        }
    }

    /// The entries, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.0.get(key).copied(),
            None => self.entries.iter().position(|(other, _)| other == key),
        }
    }

    /// Appends an entry whose key is known to be new.
    fn push(&mut self, key: String, value: Value) {
        if let Some(index) = &mut self.index {
            index.0.insert(key.clone(), self.entries.len());
        }
        self.entries.push((key, value));
        if self.index.is_none() && INDEX_FROM_LEN <= self.entries.len() {
            let keys = self.entries.iter().map(|(key, _)| key.clone());
            self.index = Some(Box::new(Index(keys.zip(0..).collect())));
        }
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key) == Some(value))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Object {
        let mut object = Object::new();
        for (key, value) in entries {
            object.insert(key, value);
        }
        object
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Value {
        Value::Bool(bool)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Int(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Value {
        Value::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Int(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        i64::try_from(number).map_or(Value::Uint(number), Value::Int)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        // No platform of Rust has a usize above 64 bits.
        u64::try_from(number).unwrap_or(u64::MAX).into()
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::String(text.clone())
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(object)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Value {
        Value::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(elements: [T; N]) -> Value {
        Value::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value> + Clone> From<&[T]> for Value {
    fn from(elements: &[T]) -> Value {
        elements.to_vec().into()
    }
}

/// `None` becomes [`Value::Null`].
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Value {
        option.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(len: usize) -> Object {
        (0..len).map(|i| (format!("key{i}"), i.into())).collect()
    }

    #[test]
    fn numbers_are_stored_one_way() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("i32",              Value::from(-1_i32),              Value::Int(-1)),
            ("u16",              Value::from(u16::MAX),            Value::Int(65535)),
            ("u32",              Value::from(u32::MAX),            Value::Int(4_294_967_295)),
            ("u64 that fits",    Value::from(i64::MAX as u64),     Value::Int(i64::MAX)),
            ("u64 that doesn't", Value::from(i64::MAX as u64 + 1), Value::Uint(1 << 63)),
            ("usize",            Value::from(7_usize),             Value::Int(7)),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("zero",         Value::Int(0),         Some(0),        Some(0),        Some(0.0)),
            ("negative",     Value::Int(-1),        None,           Some(-1),       Some(-1.0)),
            ("above i64",    Value::Uint(u64::MAX), Some(u64::MAX), None,           Some(u64::MAX as f64)),
            ("whole float",  Value::Float(1.0),     None,           None,           Some(1.0)),
            ("text",         Value::from("1"),      None,           None,           None),
        ];
        for (name, value, as_u64, as_i64, as_f64) in cases {
            assert_eq!(value.as_u64(), as_u64, "{name}");
            assert_eq!(value.as_i64(), as_i64, "{name}");
            assert_eq!(value.as_f64(), as_f64, "{name}");
        }
    }

    #[test]
    fn paths() {
        let value = Value::object([(
            "State",
            Value::object([
                ("Running", true.into()),
                ("Pid", 12.into()),
                ("Error", Value::Null),
                ("Args", vec!["a", "b"].into()),
            ]),
        )]);
        assert_eq!(value.bool_at(&["State", "Running"]), Some(true));
        assert_eq!(value.i64_at(&["State", "Pid"]), Some(12));
        assert_eq!(value.array_at(&["State", "Args"]).map(<[_]>::len), Some(2));
        assert_eq!(value.at(&[]), Some(&value));
        assert_eq!(value.str_at(&["State", "Pid"]), None, "another type");
        assert_eq!(
            value.str_at(&["State", "Pid", "x"]),
            None,
            "through a number"
        );
        assert!(value.at(&["State", "Error"]).is_some_and(Value::is_null));
        assert_eq!(value.at(&["State", "Missing"]), None);
    }

    #[test]
    fn the_last_of_equal_keys_wins_with_and_without_index() {
        for len in [
            2,
            INDEX_FROM_LEN - 1,
            INDEX_FROM_LEN,
            INDEX_FROM_LEN + 1,
            100,
        ] {
            let mut object = numbered(len);
            object.insert("key1", "new");
            assert_eq!(object.len(), len);
            assert_eq!(object.get("key1"), Some(&"new".into()), "{len} keys");
            let keys: Vec<_> = object.iter().map(|(key, _)| key.to_owned()).collect();
            let want: Vec<_> = (0..len).map(|i| format!("key{i}")).collect();
            assert_eq!(keys, want, "{len} keys");
            for i in (0..len).filter(|&i| i != 1) {
                assert_eq!(object.get(&format!("key{i}")), Some(&i.into()));
            }
            assert_eq!(object.get("absent"), None);
        }
    }

    #[test]
    fn objects_are_equal_in_any_order() {
        let one = Value::object([("a", 1.into()), ("b", 2.into())]);
        let two = Value::object([("b", 2.into()), ("a", 1.into())]);
        assert_eq!(one, two);
        assert_ne!(one, Value::object([("a", 1.into()), ("b", 3.into())]));
        assert_ne!(one, Value::object([("a", 1.into())]));
        assert_ne!(one, Value::object([("a", 1.into()), ("c", 2.into())]));
    }

    #[test]
    fn conversions() {
        let strings = vec!["a".to_owned()];
        let array = Value::Array(vec![Value::String("a".to_owned())]);
        assert_eq!(Value::from(strings.clone()), array);
        assert_eq!(Value::from(strings.as_slice()), array);
        assert_eq!(Value::from(["a"].as_slice()), array);
        assert_eq!(Value::from(["a"]), array);
        assert_eq!(Value::from(vec![Value::from("a")]), array);
        assert_eq!(Value::from(None::<&str>), Value::Null);
        assert_eq!(Value::from(Some("a")), Value::from("a"));
        assert_eq!(
            Value::from(Object::new()),
            Value::object([("", Value::Null); 0])
        );
    }

    #[test]
    fn debug_output_shows_the_entries() {
        assert_eq!(format!("{:?}", numbered(1)), r#"{"key0": Int(0)}"#);
    }
}
