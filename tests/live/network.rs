//! Networks and published ports.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use pocketdock_core::{Container, CreateOptions, Error, Port};

use crate::fixture::{Live, eventually_none};

/// Answers each connection, or datagram, to port 80 with what it got, in capitals.
const SERVER: &str = "
import socket, threading
tcp = socket.create_server(('', 80))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('', 80))
def datagrams():
    while True:
        data, peer = udp.recvfrom(100); udp.sendto(data.upper(), peer)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    peer, _ = tcp.accept(); peer.sendall(peer.recv(100).upper()); peer.close()
";

fn server(live: &Live, options: CreateOptions) -> Container {
    let options = options.image(live.python_image()).user("root");
    live.create(&options.command(["python3", "-c", SERVER]))
}

fn ask_tcp(port: u16) -> Option<String> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    connection
        .set_read_timeout(Some(Duration::from_secs(2)))
        .ok()?;
    connection.write_all(b"hello").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn ask_udp(port: u16) -> Option<String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .ok()?;
    socket.send_to(b"hello", (Ipv4Addr::LOCALHOST, port)).ok()?;
    let mut buffer = [0; 100];
    let (len, _) = socket.recv_from(&mut buffer).ok()?;
    String::from_utf8(buffer[..len].to_vec()).ok()
}

/// Waits for the server to have started.
fn eventually_answers(ask: impl Fn() -> Option<String>) {
    eventually_none("answer", || match ask() {
        Some(answer) if answer == "HELLO" => Vec::new(),
        other => vec![format!("got {other:?}")],
    });
}

/// A port of this host that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    listener.local_addr().expect("an address").port()
}

#[test]
fn none_unless_asked_for() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    assert_eq!(sandbox.run("ls /sys/class/net").unwrap().stdout, b"lo\n");
    let away = sandbox.run("nc -w 1 192.0.2.1 80 </dev/null").unwrap();
    assert!(away.stderr_text().contains("unreachable"), "{away:?}");
    let config = live.inspect(&sandbox);
    assert_eq!(config.str_at(&["HostConfig", "NetworkMode"]), Some("none"));
}

#[test]
fn one_when_asked_for() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().network());
    let links = sandbox.run("ls /sys/class/net").unwrap();
    assert!(links.stdout_text().contains("eth0"), "{links:?}");
    assert!(sandbox.run("ip route | grep -q default").unwrap().ok());
    let off = live.create(&live.options().network().no_network());
    assert_eq!(off.run("ls /sys/class/net").unwrap().stdout, b"lo\n");
}

#[test]
fn a_port_that_the_engine_picks() {
    let Some(live) = Live::begin() else { return };
    let options = live
        .options()
        .port(Port::new(0, 80))
        .port(Port::new(0, 80).udp());
    let sandbox = server(&live, options);
    let ports = sandbox.ports().unwrap();
    let picked = |container: &str| {
        let port = ports.iter().find(|port| port.container == container);
        let port = port.unwrap_or_else(|| panic!("no {container} in {ports:?}"));
        assert_eq!(port.host_address, "127.0.0.1");
        assert_ne!(port.host_port, 0);
        port.host_port
    };
    let (tcp, udp) = (picked("80/tcp"), picked("80/udp"));
    eventually_answers(|| ask_tcp(tcp));
    eventually_answers(|| ask_udp(udp));
}

#[test]
fn a_port_that_is_given() {
    let Some(live) = Live::begin() else { return };
    let port = free_port();
    let sandbox = server(&live, live.options().port(Port::new(port, 80)));
    eventually_answers(|| ask_tcp(port));
    // Not on other addresses of the host.
    let others = TcpStream::connect_timeout(
        &(Ipv4Addr::new(127, 0, 0, 2), port).into(),
        Duration::from_secs(1),
    );
    assert!(others.is_err());
    sandbox.shutdown(true).unwrap();
    assert_eq!(ask_tcp(port), None);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free again");
}

#[test]
fn a_port_that_is_taken_leaves_nothing() {
    let Some(live) = Live::begin() else { return };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let name = live.name();
    let options = live.options().name(&name).port(Port::new(port, 80));
    match live.engine().create(&options) {
        Err(Error::PortInUse { message }) => {
            assert!(message.contains(&port.to_string()), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let opened = live.engine().open(&name);
    assert!(matches!(opened, Err(Error::ContainerNotFound { .. })));
    drop(taken);
    // The name and the port can be had now.
    live.create(&options);
}

#[test]
fn a_port_of_another_sandbox() {
    let Some(live) = Live::begin() else { return };
    let port = free_port();
    let first = live.create(&live.options().port(Port::new(port, 80)));
    let second = live
        .engine()
        .create(&live.options().port(Port::new(port, 80)));
    assert!(matches!(second, Err(Error::PortInUse { .. })), "{second:?}");
    drop(first);
    live.create(&live.options().port(Port::new(port, 80)));
}
