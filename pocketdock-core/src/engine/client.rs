//! One connection per call to the engine's socket.
//!
//! A [`Call`] is what to ask; [`Client::call`] asks it and reads the whole answer,
//! [`Client::open`] leaves the body to be read as it comes. Every control exchange has one
//! deadline for all its reads and writes (60 s unless set). Bodies that stream, either way, may
//! take as long as they will, but each read and write of theirs has its time; only a command's
//! output has none.
//!
//! Nothing is kept between calls: no connection, no state of the engine's.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::deadline::Deadline;
use crate::engine::exchange::{self, Body, RequestBody, SendError};
use crate::error::{Error, Result};
use crate::wire::http::{self, Method, ResponseHead};
use crate::wire::json;
use crate::wire::value::Value;

/// How long a control exchange may take unless a call says otherwise.
///
/// ```no_run
/// use pocketdock_core::engine::{EngineOptions, client::DEFAULT_TIMEOUT};
///
/// let slow = EngineOptions::new().timeout(2 * DEFAULT_TIMEOUT).connect()?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an engine that builds, saves, loads or commits an image may show no sign of life unless
/// a client says otherwise. A step of a build that prints nothing may take long.
///
/// ```no_run
/// use pocketdock_core::engine::{EngineOptions, client::DEFAULT_IMAGE_TIMEOUT};
///
/// let slow = EngineOptions::new().image_timeout(4 * DEFAULT_IMAGE_TIMEOUT).connect()?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const DEFAULT_IMAGE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The longest reply that is read into memory; inspecting a container takes about 8 KiB.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::client::{Call, REPLY_LEN_MAX};
/// use pocketdock_core::wire::http::Method;
///
/// let mut streaming = engine.client().open(Call::new(Method::Get, "/system/df"))?;
/// let body = streaming.body.read_all(REPLY_LEN_MAX).expect("a reply of at most 32 MiB");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const REPLY_LEN_MAX: usize = 32 * 1024 * 1024;

/// The longest message taken over from an engine's error reply.
const MESSAGE_LEN_MAX: usize = 4096;

/// One exchange as an observer sees it, once its head has arrived or it has failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExchangeReport<'a> {
    /// The request's method.
    pub method: &'static str,
    /// The request's target.
    pub target: &'a str,
    /// The status of the reply, if there was one.
    pub status: Option<u16>,
    /// From connecting to the head of the reply.
    pub duration: Duration,
}

/// Gets a report of every exchange, on whichever thread that runs. A panic in it stops nothing.
///
/// ```no_run
/// use std::sync::Arc;
/// use pocketdock_core::engine::EngineOptions;
///
/// let observer = Arc::new(|report: &pocketdock_core::engine::client::ExchangeReport<'_>| {
///     println!("{} {} {:?}", report.method, report.target, report.status);
/// });
/// let engine = EngineOptions::new().observer(observer).connect()?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub type Observer = Arc<dyn Fn(&ExchangeReport<'_>) + Send + Sync>;

/// A request to the engine: endpoint, query, body, time allowed.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::client::Call;
/// use pocketdock_core::wire::http::Method;
///
/// let call = Call::new(Method::Get, "/containers/json").flag("all", true).query("limit", "5");
/// assert_eq!(engine.client().call(call)?.status, 200);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub struct Call<'a> {
    method: Method,
    /// The target without version and query.
    path: String,
    query: Vec<(&'static str, String)>,
    content: Content<'a>,
    timeout: Option<Duration>,
    upgrade: bool,
}

/// What is sent after the head.
enum Content<'a> {
    Json(String),
    Other(RequestBody<'a>),
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

/// A reply read to its end.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::client::Call;
/// use pocketdock_core::wire::http::Method;
///
/// let reply = engine.client().call(Call::new(Method::Get, "/networks"))?;
/// println!("{} bytes answer '{}'", reply.body.len(), reply.endpoint);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The decoded body.
    pub body: Vec<u8>,
    /// The request it answers, for messages.
    pub endpoint: String,
}

/// A reply whose body is read as it comes.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use std::io::Read;
/// use pocketdock_core::engine::client::Call;
/// use pocketdock_core::wire::http::Method;
///
/// let streaming = engine.client().open(Call::new(Method::Get, "/events"))?;
/// let mut first = [0; 512]; // Comes whenever something happens.
/// streaming.without_deadline().body.read(&mut first).expect("an event");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Streaming {
    /// The head of the reply.
    pub head: ResponseHead,
    /// What follows it.
    pub body: Body<Connection>,
    /// The request it answers, for messages.
    pub endpoint: String,
    timeout: Duration,
}

/// The engine at the other end of a socket.
///
/// ```no_run
/// use pocketdock_core::Engine;
/// use pocketdock_core::engine::client::Call;
/// use pocketdock_core::wire::http::Method;
///
/// let engine = Engine::detect()?;
/// let reply = engine.client().call(Call::new(Method::Get, "/volumes"))?;
/// println!("{} {}", reply.status, reply.json()?.array_at(&["Volumes"]).map_or(0, <[_]>::len));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    socket: Arc<Path>,
    /// `/v1.41`, or empty before the version is known.
    prefix: String,
    timeout: Duration,
    image_timeout: Duration,
    observer: Option<Observer>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("socket", &self.socket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl<'a> Call<'a> {
    /// A request without a body. `path` begins with a slash and has no version in it.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Call {
            method,
            path: path.into(),
            query: Vec::new(),
            content: Content::Other(RequestBody::None),
            timeout: None,
            upgrade: false,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Adds a query parameter that is `1` if it is wanted and left out if not.
    #[must_use]
    pub fn flag(self, name: &'static str, wanted: bool) -> Self {
        if wanted { self.query(name, "1") } else { self }
    }

    /// Sends a JSON document.
    #[must_use]
    pub fn json(mut self, document: &Value) -> Self {
        self.content = Content::Json(json::to_string(document));
        self
    }

    /// Sends a body of another kind.
    #[must_use]
    pub fn body(mut self, body: RequestBody<'a>) -> Self {
        self.content = Content::Other(body);
        self
    }

    /// Allows the exchange this long instead of the client's timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Asks to take over the connection after the head of the reply.
    ///
    /// ```
    /// use pocketdock_core::engine::client::Call;
    /// use pocketdock_core::wire::http::Method;
    ///
    /// let attach = Call::new(Method::Post, "/containers/box/attach");
    /// let attach = attach.flag("stdin", true).upgrade();
    /// ```
    #[must_use]
    pub fn upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// The method and path, for messages.
    fn endpoint(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether the body takes as long as its source does.
    fn streams(&self) -> bool {
        matches!(
            self.content,
            Content::Other(RequestBody::Reader(..) | RequestBody::Writer(_))
        )
    }

    fn head(&self, prefix: &str) -> http::Request {
        let mut head = http::Request::new(self.method, &format!("{prefix}{}", self.path));
        for (name, value) in &self.query {
            head = head.query(name, value);
        }
        if self.upgrade {
            head = head.upgrade();
        }
        match &self.content {
            Content::Json(text) => head.json(text.len()),
            Content::Other(RequestBody::None) => head,
            Content::Other(body) => head.tar(body.len()),
        }
    }
}

impl Client {
    /// A client for the engine at `socket`; nothing is connected yet.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Client {
            socket: socket.into(),
            prefix: String::new(),
            timeout: DEFAULT_TIMEOUT,
            image_timeout: DEFAULT_IMAGE_TIMEOUT,
            observer: None,
        }
    }

    /// The same client asking for version `major.minor` of the API.
    ///
    /// ```
    /// use std::path::Path;
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use pocketdock_core::engine::client::Client;
    ///
    /// let client = Client::new(Path::new("/run/docker.sock"))
    ///     .with_api_version((1, 41))
    ///     .with_timeout(Duration::from_secs(5))
    ///     .with_observer(Arc::new(|report| eprintln!("{} {}", report.method, report.target)));
    /// assert_eq!(client.socket(), Path::new("/run/docker.sock"));
    /// ```
    #[must_use]
    pub fn with_api_version(mut self, (major, minor): (u64, u64)) -> Self {
        self.prefix = format!("/v{major}.{minor}");
        self
    }

    /// The same client with another timeout for control exchanges.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A client that waits no longer than this, nor than this one does.
    pub(crate) fn at_most(&self, timeout: Duration) -> Self {
        self.clone().with_timeout(self.timeout.min(timeout))
    }

    /// The same client with another patience for what takes long on images.
    ///
    /// ```
    /// use std::path::Path;
    /// use std::time::Duration;
    /// use pocketdock_core::engine::client::{Client, DEFAULT_IMAGE_TIMEOUT};
    ///
    /// let client = Client::new(Path::new("/run/docker.sock"));
    /// assert_eq!(client.image_timeout(), DEFAULT_IMAGE_TIMEOUT);
    /// let client = client.with_image_timeout(Duration::from_secs(600));
    /// assert_eq!(client.image_timeout(), Duration::from_secs(600));
    /// ```
    #[must_use]
    pub fn with_image_timeout(mut self, timeout: Duration) -> Self {
        self.image_timeout = timeout;
        self
    }

    /// The same client reporting every exchange.
    #[must_use]
    pub fn with_observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The socket it connects to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The time a control exchange may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The time an engine may be silent while it works on an image.
    #[must_use]
    pub fn image_timeout(&self) -> Duration {
        self.image_timeout
    }

    /// Asks, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    ///
    /// [`Error::SocketConnection`], [`Error::SocketCommunication`], [`Error::Timeout`] and
    /// [`Error::Protocol`]; [`Error::Io`] if the body's source fails.
    pub fn call(&self, call: Call<'_>) -> Result<Reply> {
        self.open(call)?.into_reply()
    }

    /// Asks, and answers with the head of the reply; the body is to be read as it comes, under
    /// the same deadline until [`Connection::set_deadline`] lifts it.
    ///
    /// A request body from a reader or writer may take as long as its source does, but each write
    /// of it has the time of the call; the reply's head has a deadline that begins when the body
    /// has been sent.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn open(&self, call: Call<'_>) -> Result<Streaming> {
        let started = Instant::now();
        let head = call.head(&self.prefix);
        let (method, endpoint) = (call.method, call.endpoint());
        let timeout = call.timeout.unwrap_or(self.timeout);
        let answer = self.exchange(&head, call, timeout);
        if let Some(observer) = &self.observer {
            let report = ExchangeReport {
                method: method.as_str(),
                target: head.target(),
                status: answer.as_ref().ok().map(|(head, _)| head.status),
                duration: started.elapsed(),
            };
            // Its panic has been reported by the hook. Here it would end threads that others wait
            // for, and leave half-done what has nothing to do with it.
            let _panic = catch_unwind(AssertUnwindSafe(|| observer(&report)));
        }
        match answer {
            Ok((head, body)) => Ok(Streaming {
                head,
                body,
                endpoint,
                timeout,
            }),
            Err(Failure::Connect(source)) => Err(Error::SocketConnection {
                socket: self.socket.to_path_buf(),
                reason: no_connection(&self.socket, &source),
            }),
            Err(Failure::Source(source)) => Err(Error::io(
                format!("read the body to send with '{endpoint}'"),
                source,
            )),
            Err(Failure::Connection(source)) => Err(broken(&endpoint, timeout, &source)),
        }
    }

    fn exchange(
        &self,
        head: &http::Request,
        call: Call<'_>,
        timeout: Duration,
    ) -> std::result::Result<(ResponseHead, Body<Connection>), Failure> {
        let mut connection = Connection::open(&self.socket).map_err(Failure::Connect)?;
        let streams = call.streams();
        match streams {
            true => connection.set_patience(timeout),
            false => connection.set_deadline(Deadline::after(timeout)),
        }
        let sent = match call.content {
            Content::Json(text) => {
                exchange::send(&mut connection, head, RequestBody::Bytes(text.as_bytes()))
            }
            Content::Other(body) => exchange::send(&mut connection, head, body),
        };
        if streams {
            connection.set_deadline(Deadline::after(timeout));
        }
        let unsent = match sent {
            Ok(()) => None,
            Err(SendError::Source(source)) => return Err(Failure::Source(source)),
            // An engine that refuses a long body answers and hangs up before it has read it all.
            // How that shows depends on whether it had received what it did not read.
            Err(SendError::Connection(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Some(error)
            }
            Err(SendError::Connection(error)) => return Err(Failure::Connection(error)),
        };
        exchange::receive(connection, call.method)
            .map_err(|error| Failure::Connection(unsent.unwrap_or(error)))
    }
}

/// Whose fault it is that there is no answer.
enum Failure {
    Connect(io::Error),
    Source(io::Error),
    Connection(io::Error),
}

/// Why a socket cannot be connected to. The system says "refused" of whatever is no socket.
fn no_connection(socket: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => return "it is not there".to_owned(),
        io::ErrorKind::ConnectionRefused => {}
        _ => return error.to_string(),
    }
    match fs::metadata(socket) {
        Ok(found) if found.is_dir() => "it is a directory, not a socket".to_owned(),
        Ok(found) if !found.file_type().is_socket() => "it is not a socket".to_owned(),
        _ => format!("{error}, nothing listens there"),
    }
}

/// A failed read or write on a connection, in the caller's terms.
fn broken(endpoint: &str, timeout: Duration, error: &io::Error) -> Error {
    let endpoint = endpoint.to_owned();
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout {
            waiting_for: format!("the answer to '{endpoint}'"),
            timeout,
        },
        io::ErrorKind::InvalidData => Error::Protocol {
            endpoint,
            message: error.to_string(),
        },
        kind => {
            let reason = match kind {
                io::ErrorKind::UnexpectedEof => "the engine hung up too early".to_owned(),
                _ => error.to_string(),
            };
            Error::SocketCommunication {
                endpoint,
                reason,
                output: Box::default(),
            }
        }
    }
}

impl Streaming {
    /// The same reply with a body that may take as long as it will.
    #[must_use]
    pub fn without_deadline(mut self) -> Self {
        self.body.connection_mut().lift_deadline();
        self
    }

    /// The same reply with a body that may take as long as it will, so long as each read of it
    /// brings something within `patience`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use std::time::Duration;
    /// use pocketdock_core::engine::client::Call;
    /// use pocketdock_core::wire::http::Method;
    ///
    /// let export = engine.client().open(Call::new(Method::Get, "/containers/box/export"))?;
    /// let mut export = export.with_patience(Duration::from_secs(60));
    /// std::io::copy(&mut export.body, &mut std::io::sink())
    ///     .map_err(|error| export.failure(&error))?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.body.connection_mut().set_patience(patience);
        self.timeout = patience;
        self
    }

    /// Turns a failed read of the body into the error to report.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use std::io::Read;
    /// use pocketdock_core::engine::client::Call;
    /// use pocketdock_core::wire::http::Method;
    ///
    /// let mut streaming = engine.client().open(Call::new(Method::Get, "/images/json"))?;
    /// if streaming.head.status != 200 {
    ///     return Err(streaming.into_reply()?.refused());
    /// }
    /// let mut text = String::new();
    /// let read = streaming.body.read_to_string(&mut text);
    /// read.map_err(|error| streaming.failure(&error))?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn failure(&self, error: &io::Error) -> Error {
        broken(&self.endpoint, self.timeout, error)
    }

    /// Reads the rest of the body as the reply it is, to report what the engine refused.
    ///
    /// # Errors
    ///
    /// As [`Client::call`].
    pub fn into_reply(mut self) -> Result<Reply> {
        let body = self
            .body
            .read_all(REPLY_LEN_MAX)
            .map_err(|error| self.failure(&error))?;
        Ok(Reply {
            status: self.head.status,
            body,
            endpoint: self.endpoint,
        })
    }
}

impl Reply {
    /// The body as a JSON document.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`] if it is none.
    pub fn json(&self) -> Result<Value> {
        json::parse(&self.body).map_err(|error| self.unexpected(error.to_string()))
    }

    /// The engine's own words about a failure: the `message` of its JSON, or the text itself.
    ///
    /// Podman also gives a `cause`, which its message ends with or lacks; it is added if lacking.
    ///
    /// ```
    /// use pocketdock_core::engine::client::Reply;
    ///
    /// let body = br#"{"message": "no such volume"}"#.to_vec();
    /// let reply = Reply { status: 404, body, endpoint: "GET /volumes/x".to_owned() };
    /// assert_eq!(reply.message(), "no such volume");
    /// assert_eq!(reply.refused().code(), "engine");
    /// assert_eq!(reply.unexpected("it has no name").code(), "protocol");
    /// ```
    #[must_use]
    pub fn message(&self) -> String {
        let document = json::parse(&self.body).ok();
        let field = |name| document.as_ref().and_then(|body| body.str_at(&[name]));
        let text = match (field("message"), field("cause")) {
            (Some(message), Some(cause)) if !message.contains(cause) => {
                format!("{message}: {cause}")
            }
            (Some(message), _) => message.to_owned(),
            (None, _) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        let text: String = text.trim().chars().take(MESSAGE_LEN_MAX).collect();
        if text.is_empty() {
            "it gave no reason".to_owned()
        } else {
            text
        }
    }

    /// The error for a status that the endpoint has no meaning for.
    #[must_use]
    pub fn refused(&self) -> Error {
        Error::Engine {
            endpoint: self.endpoint.clone(),
            status: self.status,
            message: self.message(),
        }
    }

    /// The error for a body that is not what the endpoint promises.
    #[must_use]
    pub fn unexpected(&self, message: impl Into<String>) -> Error {
        Error::Protocol {
            endpoint: self.endpoint.clone(),
            message: message.into(),
        }
    }
}

/// A connection to the engine with one deadline for everything that is read and written.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use std::time::Duration;
/// use pocketdock_core::engine::client::{Call, Connection};
/// use pocketdock_core::engine::deadline::Deadline;
/// use pocketdock_core::wire::http::Method;
///
/// let mut events = engine.client().open(Call::new(Method::Get, "/events"))?;
/// let connection: &mut Connection = events.body.connection_mut();
/// connection.set_deadline(Deadline::after(Duration::from_secs(3600)));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    stream: Arc<UnixStream>,
    deadline: Deadline,
    /// The time each read and write has, in place of a deadline for all of them.
    patience: Option<Duration>,
    /// The timeouts the socket has now, to spare the system call that would set them again.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Connection {
    fn open(socket: &Path) -> io::Result<Self> {
        Ok(Connection {
            stream: Arc::new(UnixStream::connect(socket)?),
            deadline: Deadline::NEVER,
            patience: None,
            read_timeout: None,
            write_timeout: None,
        })
    }

    /// Sets when reads and writes must be done from now on.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.patience = None;
    }

    /// Lets reads and writes take as long as they will, also those of whoever shares the socket.
    fn lift_deadline(&mut self) {
        self.set_deadline(Deadline::NEVER);
        // What the request was sent with would go on to end the writes that are not made here.
        if self.stream.set_write_timeout(None).is_ok() {
            self.write_timeout = None;
        }
    }

    /// Gives each read and write so long from now on, however many there are.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use std::time::Duration;
    /// use pocketdock_core::engine::client::Call;
    /// use pocketdock_core::wire::http::Method;
    ///
    /// let mut images = engine.client().open(Call::new(Method::Get, "/images/json"))?;
    /// images.body.connection_mut().set_patience(Duration::from_secs(5));
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = Some(patience.max(Duration::from_millis(1)));
    }

    /// How long the next read or write may take; `None` for ever.
    fn time_left(&self) -> io::Result<Option<Duration>> {
        match self.patience {
            None => self.deadline.remaining(),
            patience => Ok(patience),
        }
    }

    /// The socket itself, to write from another thread or to wake a reader.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use std::io::Read;
    /// use pocketdock_core::engine::client::Call;
    /// use pocketdock_core::wire::http::Method;
    ///
    /// let events = engine.client().open(Call::new(Method::Get, "/events"))?;
    /// let mut events = events.without_deadline();
    /// let socket = events.body.connection().share();
    /// let reader = std::thread::spawn(move || events.body.read(&mut [0; 4096]));
    /// socket.shutdown(std::net::Shutdown::Both).expect("it is open"); // Wakes the reader.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn share(&self) -> Arc<UnixStream> {
        Arc::clone(&self.stream)
    }

    /// Closes both directions, which wakes whoever reads or writes.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use pocketdock_core::engine::client::Call;
    /// use pocketdock_core::wire::http::Method;
    ///
    /// let events = engine.client().open(Call::new(Method::Get, "/events"))?;
    /// events.body.connection().shut_down(); // Enough of them.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn shut_down(&self) {
        // It fails only if the peer was faster.
        let _already_closed = self.stream.shutdown(Shutdown::Both);
    }
}

/// Whether the timeout that a socket has is shorter than the one wanted, or notably longer.
///
/// The time left to a deadline shrinks from one read to the next. Setting it each time would
/// double the system calls of a stream; ending a 64th too late harms nobody.
fn is_stale(set: Option<Duration>, wanted: Option<Duration>) -> bool {
    match (set, wanted) {
        (Some(set), Some(wanted)) => set < wanted || wanted + wanted / 64 < set,
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

impl Read for Connection {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let timeout = self.time_left()?;
        if is_stale(self.read_timeout, timeout) {
            self.stream.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        (&*self.stream).read(out)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let timeout = self.time_left()?;
        if is_stale(self.write_timeout, timeout) {
            self.stream.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        (&*self.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.stream).flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_set_again_when_it_is_too_short_or_notably_too_long() {
        let ms = |ms| Some(Duration::from_millis(ms));
        #[rustfmt::skip] // one case per line
        let cases = [
            ("never set, none wanted", None,     None,     false),
            ("never set",              None,     ms(640),  true),
            ("none wanted any more",   ms(640),  None,     true),
            ("the same",               ms(640),  ms(640),  false),
            ("too short",              ms(639),  ms(640),  true),
            ("a little too long",      ms(650),  ms(640),  false),
            ("notably too long",       ms(651),  ms(640),  true),
        ];
        for (name, set, wanted, stale) in cases {
            assert_eq!(is_stale(set, wanted), stale, "{name}");
        }
    }
}
