package images

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime/fake"
)

func TestPrefetchGivesWayToWhatIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, engine := fetcher(newFleet())
		engine.AddRemote("later:1", digest("later"))
		engine.AddRemote("now:1", digest("now"))
		engine.Fail(fake.OpPull, fake.Fault{Delay: time.Minute, Times: 1})
		early := make(chan error)
		go func() { early <- own.Prefetch(t.Context(), digest("later")) }()
		synctest.Wait()
		began := time.Now()
		must(t, own.Fetch(t.Context(), digest("now")))
		if took := time.Since(began); took > 0 {
			t.Errorf("what is needed waited for %v", took)
		}
		if err := <-early; !errors.Is(err, errNeeded) {
			t.Errorf("Prefetch = %v", err)
		}
		must(t, own.Prefetch(t.Context(), digest("later")))
		if !has(t, engine, digest("later")) {
			t.Error("the image is not here")
		}
	})
}

func TestPrefetchThatIsNeededMeanwhileGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, engine := fetcher(newFleet())
		engine.AddRemote("app:1", digest("app"))
		engine.Fail(fake.OpPull, fake.Fault{Delay: 8 * time.Second, Times: 1})
		early := make(chan error)
		go func() { early <- own.Prefetch(t.Context(), digest("app")) }()
		synctest.Wait()
		time.Sleep(5 * time.Second)
		began := time.Now()
		must(t, own.Fetch(t.Context(), digest("app")))
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("it took %v more", took)
		}
		if err := <-early; err != nil || engine.Calls(fake.OpPull) != 1 {
			t.Errorf("Prefetch = %v, %d pulls", err, engine.Calls(fake.OpPull))
		}
	})
}

func TestIdleTransfersLeaveTheirPlaces(t *testing.T) {
	var o outgoing
	one, end, err := o.begin(t.Context(), "i", "a", true)
	must(t, err)
	if _, _, err := o.begin(t.Context(), "i", "b", true); err == nil {
		t.Error("two transfers that nobody waits for at once")
	}
	_, end2, err := o.begin(t.Context(), "i", "c", false)
	must(t, err)
	if one.Err() != nil {
		t.Error("an idle transfer was ended while there is a free place")
	}
	_, end3, err := o.begin(t.Context(), "i", "d", false)
	must(t, err)
	if !errors.Is(context.Cause(one), errOvertaken) {
		t.Errorf("the idle transfer goes on: %v", context.Cause(one))
	}
	var busy *api.Error
	if _, _, err := o.begin(t.Context(), "i", "e", false); !errors.As(err, &busy) || len(busy.Try) != 3 {
		t.Errorf("a third: %v", err)
	}
	end()
	end2()
	end3()
	if _, _, err := o.begin(t.Context(), "i", "f", true); err != nil {
		t.Errorf("when all are done: %v", err)
	}
}

func TestPrefetcherBringsWhatIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own, engine := fetcher(newFleet())
		var full atomic.Bool
		p := NewPrefetcher(own, full.Load, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		for _, name := range []string{"a", "b"} {
			engine.AddRemote(name, name+"@sha256:"+name)
		}
		p.Want([]string{"a@sha256:a", "absent@sha256:0"})
		synctest.Wait()
		if !has(t, engine, "a@sha256:a") {
			t.Error("an image that may be needed is not here")
		}
		full.Store(true)
		p.Want([]string{"b@sha256:b"})
		synctest.Wait()
		if has(t, engine, "b@sha256:b") {
			t.Error("the disk is full, and an image came that nobody needs")
		}
		full.Store(false)
		time.Sleep(2 * prefetchAgain)
		synctest.Wait()
		if !has(t, engine, "b@sha256:b") {
			t.Error("it was not tried again")
		}
	})
}
