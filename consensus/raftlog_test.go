package consensus

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestRaftLogTurnsDownNarration(t *testing.T) {
	for _, tc := range []struct {
		level hclog.Level
		msg   string
		want  string
	}{
		{hclog.Info, "entering follower state", "DEBUG"},
		{hclog.Error, "failed to heartbeat to", "DEBUG"},
		{hclog.Warn, "failed to contact", "DEBUG"},
		{hclog.Warn, "something odd", "INFO"},
		{hclog.Error, "failed to commit logs", "WARN"},
	} {
		var out bytes.Buffer
		h := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})
		l := newRaftLog(slog.New(h)).Named("net").With("peer", "B")
		l.Log(tc.level, tc.msg, "servers", hclog.Fmt("%+v", []int{1, 2}))
		line := out.String()
		for _, want := range []string{"level=" + tc.want, `msg="raft.net: ` + tc.msg + `"`, "peer=B", `servers="[1 2]"`} {
			if !strings.Contains(line, want) {
				t.Errorf("%s is not in %s", want, line)
			}
		}
	}
}
