package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/musterhq/muster/cluster"
)

// grpcCheck passes where grpc.health.v1.Health/Check says SERVING, over HTTP/2
// without TLS.
type grpcCheck struct {
	at   netip.AddrPort
	spec cluster.GRPCProbe
}

func (c *grpcCheck) name() string {
	if c.spec.Service == "" {
		return "gRPC health check of " + c.at.String()
	}
	return fmt.Sprintf("gRPC health check of %q at %s", c.spec.Service, c.at)
}

func (c *grpcCheck) do(ctx context.Context) error {
	at := "http://" + c.at.String() + "/grpc.health.v1.Health/Check"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(healthRequest(c.spec.Service)))
	if err != nil {
		return err
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {userAgent}}
	conn, err := dial(ctx, c.at)
	if err != nil {
		return err
	}
	defer conn.Close()
	t := transport(conn)
	t.DisableKeepAlives = false // HTTP/2 closes with CloseIdleConnections
	t.Protocols = new(http.Protocols)
	t.Protocols.SetUnencryptedHTTP2(true)
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostRead))
	if err != nil {
		return err
	}
	if err := grpcStatus(resp); err != nil {
		return err
	}
	return serving(body)
}

// grpcStatus is the call's own outcome, which stands in the trailer, or in the
// header where nothing else is answered.
func grpcStatus(resp *http.Response) error {
	status, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if status == "" {
		status, message = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	if text, err := url.PathUnescape(message); err == nil {
		message = text
	}
	switch status {
	case "0":
		return nil
	case "":
		return errors.New("the answer is not one of gRPC")
	case "5":
		return fmt.Errorf("the server does not know the service: %s", message)
	case "12":
		return fmt.Errorf("the server has no grpc.health.v1.Health: %s", message)
	}
	return fmt.Errorf("gRPC status %s: %s", short(status), message)
}

// frameHeader is what goes before a message: whether it is compressed, and its length.
const frameHeader = 5

// healthRequest is a HealthCheckRequest in its frame: one field, the service.
func healthRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = append(message, 1<<3|2) // field 1, of a length
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

// errGarbled is an answer that is no HealthCheckResponse.
var errGarbled = errors.New("the answer is no health check's")

// serving reads a HealthCheckResponse in its frame: nil if the status is SERVING.
// Fields that are not known are skipped, as in all of protobuf.
func serving(frame []byte) error {
	if len(frame) < frameHeader || frame[0] != 0 || uint64(binary.BigEndian.Uint32(frame[1:])) != uint64(len(frame)-frameHeader) {
		return errGarbled
	}
	var status uint64
	for rest := frame[frameHeader:]; len(rest) > 0; {
		key, n := binary.Uvarint(rest)
		if n <= 0 {
			return errGarbled
		}
		value, size := field(key, rest[n:])
		if size < 0 {
			return errGarbled
		}
		if key == 1<<3 { // field 1, a varint
			status = value
		}
		rest = rest[n+size:]
	}
	switch status {
	case 1:
		return nil
	case 0:
		return errors.New("status UNKNOWN")
	case 2:
		return errors.New("status NOT_SERVING")
	case 3:
		return errors.New("status SERVICE_UNKNOWN")
	}
	return errors.New("status " + strconv.FormatUint(status, 10))
}

// field is the value of a varint and the size of any field's value; -1 if b does
// not hold one.
func field(key uint64, b []byte) (value uint64, size int) {
	const varint, fixed64, bytes, fixed32 = 0, 1, 2, 5
	switch key & 7 {
	case varint:
		if value, size = binary.Uvarint(b); size > 0 {
			return value, size
		}
	case fixed64:
		size = 8
	case fixed32:
		size = 4
	case bytes:
		length, n := binary.Uvarint(b)
		if n > 0 && length <= uint64(len(b)-n) {
			return 0, n + int(length)
		}
	}
	if size <= 0 || size > len(b) {
		return 0, -1
	}
	return 0, size
}
