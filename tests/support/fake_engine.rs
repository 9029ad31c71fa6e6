//! A container engine that says exactly what a test wrote down.
//!
//! [`FakeEngine`] listens on a Unix socket in a scratch directory and answers either from a script
//! (an [`Exchange`] for each connection, in order) or by routing (a function from request to
//! [`Reply`]). A reply is a list of steps: bytes, sent in pieces of any size; a [`Gate`] that the
//! test opens; a function that talks on the open connection. It ends by closing, by hanging, or by
//! a reset.
//!
//! A request that the script does not expect is kept and fails the test when the engine is
//! finished or dropped. All threads are joined then, so a test that counts threads and files can
//! do so right after.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use super::request::{self, Request};
use super::scratch::Scratch;

/// A latch that both sides of a test can wait at, in place of a sleep.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    state: Arc<(Mutex<GateState>, Condvar)>,
}

#[derive(Debug, Default)]
struct GateState {
    reached: bool,
    open: bool,
}

impl Gate {
    /// Lets the engine go on, now and whenever it comes here again.
    pub fn open(&self) {
        self.change(|state| state.open = true);
    }

    /// Whether it was opened.
    pub fn is_open(&self) -> bool {
        lock(&self.state.0).open
    }

    /// Waits until the engine has come here.
    pub fn wait_reached(&self) {
        drop(self.wait_while(|state| !state.reached));
    }

    /// The engine's side: reports arrival and waits for [`Gate::open`].
    fn pass(&self) {
        self.change(|state| state.reached = true);
        drop(self.wait_while(|state| !state.open));
    }

    fn change(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut lock(&self.state.0));
        self.state.1.notify_all();
    }

    fn wait_while(&self, condition: impl Fn(&GateState) -> bool) -> MutexGuard<'_, GateState> {
        let state = lock(&self.state.0);
        self.state
            .1
            .wait_while(state, |state| condition(state))
            .expect("wait at a gate")
    }
}

type Talk = Box<dyn FnOnce(&UnixStream) -> io::Result<()> + Send>;

enum Step {
    Send(Vec<u8>),
    Wait(Gate),
    Talk(Talk),
}

/// What the engine does once it has a request.
pub struct Reply {
    steps: Vec<Step>,
    /// Most bytes in one write.
    piece_len: usize,
}

impl Reply {
    /// These bytes, then the connection is closed.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            steps: vec![Step::Send(bytes.into())],
            piece_len: usize::MAX,
        }
    }

    /// All that it says, if that is all that it does.
    pub fn into_bytes(self) -> Vec<u8> {
        let bytes = self.steps.into_iter().map(|step| match step {
            Step::Send(bytes) => bytes,
            Step::Wait(_) | Step::Talk(_) => panic!("not bytes alone"),
        });
        bytes.collect::<Vec<_>>().concat()
    }

    /// A head with a Content-Length, and a body.
    pub fn sized(status: u16, content_type: &str, body: &[u8]) -> Self {
        let len = body.len();
        let head = format!(
            "HTTP/1.1 {status} Said\r\n\
             Content-Type: {content_type}\r\nContent-Length: {len}\r\n\r\n"
        );
        Self::raw([head.as_bytes(), body].concat())
    }

    /// A JSON document.
    pub fn json(status: u16, body: &str) -> Self {
        Self::sized(status, "application/json", body.as_bytes())
    }

    /// A head that has no body by its status: 204, 304.
    pub fn empty(status: u16) -> Self {
        Self::raw(format!("HTTP/1.1 {status} Said\r\n\r\n"))
    }

    /// The answer to a ping, as Docker (`libpod` absent) or Podman gives it.
    pub fn ping(api_version: &str, libpod: Option<&str>) -> Self {
        let libpod = libpod.map_or(String::new(), |v| format!("Libpod-Api-Version: {v}\r\n"));
        Self::raw(format!(
            "HTTP/1.1 200 OK\r\nApi-Version: {api_version}\r\n{libpod}\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nOK"
        ))
    }

    /// Each piece as one chunk of a chunked body.
    pub fn chunked(status: u16, pieces: &[&[u8]]) -> Self {
        let mut bytes =
            format!("HTTP/1.1 {status} Said\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
        for piece in pieces {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        Self::raw(bytes)
    }

    /// The head of a hijacked connection: 101 as asked for, or 200 as both engines also answer.
    pub fn hijacked(status: u16) -> Self {
        let upgrade = if status == 101 {
            "Connection: Upgrade\r\nUpgrade: tcp\r\n"
        } else {
            ""
        };
        Self::raw(format!(
            "HTTP/1.1 {status} Said\r\n\
             Content-Type: application/vnd.docker.raw-stream\r\n{upgrade}\r\n"
        ))
    }

    /// Adds bytes.
    #[must_use]
    pub fn then(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// Adds one frame of the multiplexed stream: 1 is stdout, 2 is stderr.
    #[must_use]
    pub fn frame(self, stream: u8, payload: &[u8]) -> Self {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.then([&[stream, 0, 0, 0], len.as_slice(), payload].concat())
    }

    /// Waits for the test before going on.
    #[must_use]
    pub fn wait(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Wait(gate.clone()));
        self
    }

    /// Waits for the test before anything else.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self
    }

    /// Hands the connection to a function, which reads and writes as it likes.
    ///
    /// An error it returns counts as the client having hung up.
    #[must_use]
    pub fn talk(
        mut self,
        talk: impl FnOnce(&UnixStream) -> io::Result<()> + Send + 'static,
    ) -> Self {
        self.steps.push(Step::Talk(Box::new(talk)));
        self
    }

    /// Sends in pieces of at most `piece_len` bytes.
    #[must_use]
    pub fn split(mut self, piece_len: usize) -> Self {
        self.piece_len = piece_len;
        self
    }

    /// Neither says more nor closes, until the engine is dropped.
    #[must_use]
    pub fn hang(self) -> Self {
        self.wait(&Gate::default())
    }
}

/// How much of a request is read before the reply, and by that how the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    All,
    Head,
    Nothing,
}

type Check = Box<dyn Fn(&Request) -> Result<(), String> + Send>;

/// One connection of a script: the request it expects and the reply it gives.
pub struct Exchange {
    expected: Option<String>,
    check: Option<Check>,
    reading: Reading,
    reply: Reply,
}

impl Exchange {
    /// Expects a request by method and path, the path decoded and without API version.
    pub fn on(method: &str, path: &str, reply: Reply) -> Self {
        let expected = Some(format!("{method} {path}"));
        Self {
            expected,
            check: None,
            reading: Reading::All,
            reply,
        }
    }

    /// Takes any request.
    pub fn any(reply: Reply) -> Self {
        Self {
            expected: None,
            check: None,
            reading: Reading::All,
            reply,
        }
    }

    /// Also requires that `holds` of the request; `what` says in the failure what does not.
    #[must_use]
    pub fn checked(
        mut self,
        what: &str,
        holds: impl Fn(&Request) -> bool + Send + 'static,
    ) -> Self {
        let what = what.to_owned();
        self.check = Some(Box::new(move |request| {
            if holds(request) {
                Ok(())
            } else {
                Err(format!("{}: not so: {what}", request.line()))
            }
        }));
        self
    }

    /// Replies after the head, without reading the body.
    ///
    /// Where there is a body, closing then resets the connection: Unix sockets report
    /// `ConnectionReset` to a peer whose bytes were never read.
    #[must_use]
    pub fn after_head(mut self) -> Self {
        self.reading = Reading::Head;
        self
    }

    /// Replies as soon as the connection is there; closing then resets it, see above.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.reading = Reading::Nothing;
        self
    }
}

type Route = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

enum Plan {
    Script(Mutex<VecDeque<Exchange>>),
    Route(Route),
}

/// What the engine's threads and the test share.
struct Shared {
    plan: Plan,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stopped: bool,
    connection_count: usize,
    requests: Vec<Request>,
    failures: Vec<String>,
    /// Connections in use, to be shut down when the engine stops.
    streams: HashMap<usize, Arc<UnixStream>>,
    /// Gates somebody may wait at, to be opened when the engine stops.
    gates: Vec<Gate>,
    workers: Vec<JoinHandle<()>>,
}

/// The engine: a socket and the threads that serve it.
pub struct FakeEngine {
    socket: PathBuf,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    _scratch: Scratch,
}

impl FakeEngine {
    /// Plays one exchange for each connection, in order.
    pub fn script(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        Self::start(Plan::Script(Mutex::new(exchanges.into_iter().collect())))
    }

    /// Answers every request by a function; requests on different connections run side by side.
    pub fn route(route: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Plan::Route(Box::new(route)))
    }

    fn start(plan: Plan) -> Self {
        let scratch = Scratch::new();
        let socket = scratch.join("engine.sock");
        let listener = UnixListener::bind(&socket).expect("listen on a scratch socket");
        let shared = Arc::new(Shared {
            plan,
            state: Mutex::default(),
        });
        let acceptor = spawn("fake-accept", {
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self {
            socket,
            shared,
            acceptor: Some(acceptor),
            _scratch: scratch,
        }
    }

    /// The socket to connect to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The requests read so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.state).requests.clone()
    }

    /// `METHOD path` of each request read so far.
    pub fn request_lines(&self) -> Vec<String> {
        lock(&self.shared.state)
            .requests
            .iter()
            .map(Request::line)
            .collect()
    }

    /// Connections accepted so far, also those without a request.
    pub fn connection_count(&self) -> usize {
        lock(&self.shared.state).connection_count
    }

    /// Stops the engine; fails the test if a request was unexpected or one is missing.
    pub fn finish(mut self) -> Vec<Request> {
        self.stop();
        if let Plan::Script(script) = &self.shared.plan {
            let left = lock(script)
                .iter()
                .filter_map(|e| e.expected.clone())
                .collect::<Vec<_>>();
            assert!(left.is_empty(), "requests that never came: {left:?}");
        }
        self.requests()
    }

    /// Ends all threads; what they found wrong fails the test.
    fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        let (streams, gates) = {
            let mut state = lock(&self.shared.state);
            state.stopped = true;
            (
                std::mem::take(&mut state.streams),
                std::mem::take(&mut state.gates),
            )
        };
        // The acceptor waits in accept(); one more connection makes it look at `stopped`.
        drop(UnixStream::connect(&self.socket));
        for stream in streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(streams);
        gates.iter().for_each(Gate::open);
        acceptor.join().expect("the acceptor ends");
        let workers = std::mem::take(&mut lock(&self.shared.state).workers);
        for worker in workers {
            if worker.join().is_err() {
                lock(&self.shared.state)
                    .failures
                    .push("a connection's thread panicked".to_owned());
            }
        }
        let failures = lock(&self.shared.state).failures.clone();
        assert!(
            thread::panicking() || failures.is_empty(),
            "fake engine: {failures:#?}"
        );
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().expect("accept a connection");
        let mut state = lock(&shared.state);
        if state.stopped {
            return;
        }
        let id = state.connection_count;
        state.connection_count += 1;
        let stream = Arc::new(stream);
        state.streams.insert(id, Arc::clone(&stream));
        let exchange = match &shared.plan {
            Plan::Route(_) => None,
            Plan::Script(script) => Some(lock(script).pop_front()),
        };
        let worker = spawn("fake-serve", {
            let shared = Arc::clone(shared);
            move || {
                // An error means that the client hung up, as is its right.
                let _ = serve(&stream, exchange, &shared);
                lock(&shared.state).streams.remove(&id);
            }
        });
        state.workers.push(worker);
    }
}

/// Serves one connection. `exchange` is `None` when routing, `Some(None)` when the script is over.
fn serve(
    stream: &UnixStream,
    exchange: Option<Option<Exchange>>,
    shared: &Shared,
) -> io::Result<()> {
    let reading = exchange
        .iter()
        .flatten()
        .map(|e| e.reading)
        .next()
        .unwrap_or(Reading::All);
    let request = match read_request(stream, reading) {
        Ok(Some(request)) => request,
        Ok(None) => return Ok(()),
        Err(e) => {
            if e.kind() == io::ErrorKind::InvalidData {
                lock(&shared.state)
                    .failures
                    .push(format!("malformed request: {e}"));
            }
            return Err(e);
        }
    };
    if reading != Reading::Nothing {
        lock(&shared.state).requests.push(request.clone());
    }
    match answer(&request, reading, exchange, &shared.plan) {
        Ok(reply) => perform(reply, stream, shared),
        Err(failure) => {
            lock(&shared.state).failures.push(failure);
            Ok(())
        }
    }
}

fn read_request(mut stream: &UnixStream, reading: Reading) -> io::Result<Option<Request>> {
    if reading == Reading::Nothing {
        return Ok(Some(Request::default()));
    }
    let Some(mut request) = request::read_head(&mut stream)? else {
        return Ok(None);
    };
    if reading == Reading::All {
        request.body = request::read_body(&mut stream, &request)?;
    }
    Ok(Some(request))
}

/// The reply to a request, or what is wrong with the request.
fn answer(
    request: &Request,
    reading: Reading,
    exchange: Option<Option<Exchange>>,
    plan: &Plan,
) -> Result<Reply, String> {
    let exchange = match (exchange, plan) {
        (_, Plan::Route(route)) => return Ok(route(request)),
        (Some(Some(exchange)), Plan::Script(_)) => exchange,
        (_, Plan::Script(_)) => return Err(format!("{}: the script is over", request.line())),
    };
    match exchange.expected {
        Some(line) if reading != Reading::Nothing && line != request.line() => {
            return Err(format!("got {}, expected {line}", request.line()));
        }
        _ => {}
    }
    exchange.check.map_or(Ok(()), |check| check(request))?;
    Ok(exchange.reply)
}

fn perform(reply: Reply, mut stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    for step in reply.steps {
        match step {
            Step::Send(bytes) => {
                for piece in bytes.chunks(reply.piece_len.max(1)) {
                    stream.write_all(piece)?;
                }
            }
            Step::Wait(gate) => {
                register(&gate, shared);
                gate.pass();
            }
            Step::Talk(talk) => talk(stream)?,
        }
    }
    Ok(())
}

/// Sees to it that the gate opens when the engine stops, which may already have happened.
fn register(gate: &Gate, shared: &Shared) {
    let mut state = lock(&shared.state);
    if state.stopped {
        gate.open();
    } else {
        state.gates.push(gate.clone());
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .expect("start a thread")
}

/// A lock, also after a thread panicked with it: the panic is reported elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::alone::alone;
    use super::super::process::{assert_holds, holdings};
    use super::{Exchange, FakeEngine, Gate, Reply};

    const GET: &[u8] = b"GET /v1.41/_ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const POST: &[u8] = b"POST /commit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";

    fn connect(engine: &FakeEngine, request: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(engine.socket()).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    fn ask(engine: &FakeEngine, request: &[u8]) -> String {
        let mut reply = String::new();
        connect(engine, request).read_to_string(&mut reply).unwrap();
        reply
    }

    #[test]
    fn script_is_played_in_order_at_every_piece_size() {
        for piece_len in 1..=40 {
            let engine = FakeEngine::script([
                Exchange::on("GET", "/_ping", Reply::json(200, "{}").split(piece_len)),
                Exchange::on("POST", "/commit", Reply::empty(204).split(piece_len))
                    .checked("the body is {}", |request| request.body == b"{}"),
            ]);
            assert!(ask(&engine, GET).ends_with("Content-Length: 2\r\n\r\n{}"));
            assert_eq!(ask(&engine, POST), "HTTP/1.1 204 Said\r\n\r\n");
            assert_eq!(engine.finish().len(), 2);
        }
    }

    #[test]
    fn wrong_missing_and_malformed_requests_fail_the_test() {
        let wrong = |request: &[u8], exchange: Exchange| {
            let engine = FakeEngine::script([exchange]);
            if !request.is_empty() {
                ask(&engine, request);
            }
            catch_unwind(AssertUnwindSafe(|| engine.finish())).is_err()
        };
        let ping = || Exchange::on("GET", "/_ping", Reply::empty(204));
        assert!(wrong(POST, ping()), "another path");
        assert!(
            wrong(GET, ping().checked("it has a body", |r| !r.body.is_empty())),
            "a check"
        );
        assert!(wrong(b"", ping()), "no request");
        assert!(
            wrong(b"GET /_ping HTTP/1.1\r\nbad\r\n\r\n", ping()),
            "a malformed one"
        );
        assert!(!wrong(GET, ping()), "the right one");
    }

    #[test]
    fn gates_hold_the_reply_back() {
        let gate = Gate::default();
        let reply = Reply::raw("a").wait(&gate).then("b");
        let engine = FakeEngine::script([Exchange::any(reply)]);
        let mut stream = connect(&engine, GET);
        gate.wait_reached();
        stream.set_nonblocking(true).unwrap();
        let mut buf = [0; 9];
        assert_eq!(stream.read(&mut buf).unwrap(), 1);
        assert!(stream.read(&mut buf).is_err(), "nothing else is there yet");
        stream.set_nonblocking(false).unwrap();
        gate.open();
        assert_eq!(stream.read(&mut buf).unwrap(), 1);
        assert_eq!(stream.read(&mut buf).unwrap(), 0);
    }

    #[test]
    fn unread_bytes_reset_the_connection() {
        let engine = FakeEngine::script([
            Exchange::any(Reply::raw("")).after_head(),
            Exchange::any(Reply::raw("x").talk(|mut stream| {
                let mut echo = [0; 2];
                stream.read_exact(&mut echo)?;
                stream.write_all(&echo)
            })),
        ]);
        let reset = connect(&engine, POST).read(&mut [0; 1]).unwrap_err();
        assert_eq!(reset.kind(), std::io::ErrorKind::ConnectionReset);

        let mut stream = connect(&engine, GET);
        stream.write_all(b"hi").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "xhi");
    }

    #[test]
    fn nothing_is_left_of_an_engine_that_hangs() {
        let test = "support::fake_engine::tests::nothing_is_left_of_an_engine_that_hangs";
        alone(test, &[], || {
            let before = holdings();
            let engine = FakeEngine::route(|_| Reply::raw("x").hang());
            let mut stream = connect(&engine, GET);
            stream.read_exact(&mut [0; 1]).unwrap();
            drop(engine);
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
            drop(stream);
            assert_holds(before);
        });
    }
}
