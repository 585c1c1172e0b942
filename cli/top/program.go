package top

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Options are what the screen needs of the world.
type Options struct {
	// Look fetches the cluster as it is now.
	Look  func(context.Context) (Snapshot, error)
	Every time.Duration // between two looks
	Color bool
	In    io.Reader
	Out   io.Writer
	Env   []string // "NAME=VALUE", as of the terminal
	Now   func() time.Time
}

// lookFor bounds one look, so that a cluster that hangs is told from one that is
// slow.
const lookFor = 15 * time.Second

// Run shows the screen until the user leaves it or ctx ends.
func Run(ctx context.Context, o Options, first Snapshot) error {
	p := tea.NewProgram(program{Options: o, ctx: ctx, model: New(o.Color).Fresh(first)},
		tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Env), tea.WithoutSignalHandler())
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// program is the model as bubbletea drives it.
type program struct {
	Options
	ctx   context.Context
	model Model
}

// looked is the answer of one look; due says that it is time for the next.
type (
	looked struct {
		snapshot Snapshot
		err      error
		at       time.Time
	}
	due struct{}
)

func (p program) look() tea.Msg {
	ctx, cancel := context.WithTimeout(p.ctx, lookFor)
	defer cancel()
	s, err := p.Look(ctx)
	return looked{s, err, p.Now()}
}

func (p program) wait() tea.Cmd {
	return tea.Tick(p.Every, func(time.Time) tea.Msg { return due{} })
}

// Init implements tea.Model.
func (p program) Init() tea.Cmd { return p.wait() }

// Update implements tea.Model.
func (p program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.model = p.model.Resized(msg.Width, msg.Height)
	case tea.KeyPressMsg:
		p.model = p.model.Key(msg.String(), msg.Key().Text)
	case due:
		return p, p.look
	case looked:
		if msg.err != nil {
			p.model = p.model.Failed(msg.at, msg.err.Error())
		} else {
			p.model = p.model.Fresh(msg.snapshot)
		}
		return p, p.wait()
	}
	if p.model.Over() {
		return p, tea.Quit
	}
	return p, nil
}

// View implements tea.Model.
func (p program) View() tea.View {
	v := tea.NewView(p.model.View())
	v.AltScreen = true
	return v
}
