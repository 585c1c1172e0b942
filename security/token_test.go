package security

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustToken(t testing.TB) Token {
	t.Helper()
	tok, err := NewToken(tokenID, cluster1, strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokenRoundTrip(t *testing.T) {
	tok := mustToken(t)
	s := tok.String()
	if strings.ContainsAny(s, " \n/+=") {
		t.Errorf("%q is not one word", s)
	}
	for name, text := range map[string]string{
		"as is":      s,
		"spaces":     "  " + s + "\n",
		"wrapped":    s[:60] + "\r\n  " + s[60:],
		"lower case": strings.ToLower(s),
	} {
		back, err := ParseToken(text)
		if err != nil || !cmp.Equal(back, tok) {
			t.Errorf("%s: %+v, %v", name, back, err)
		}
	}
	if other := mustToken(t); other.String() == s {
		t.Error("two tokens share a secret")
	}
}

func TestParseTokenSaysWhatIsWrong(t *testing.T) {
	s := mustToken(t).String()
	other := mustToken(t).String()
	flip := func(i int) string {
		c := byte('A')
		if s[i] == c {
			c = 'B'
		}
		return s[:i] + string(c) + s[i+1:]
	}
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"empty":             {"", ErrTokenEmpty},
		"blank":             {" \n\t", ErrTokenEmpty},
		"another program's": {"SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv", ErrTokenPrefix},
		"newer":             {"MUSTER-2-" + s[len(tokenPrefix):], ErrTokenVersion},
		"half a prefix":     {"MUSTER-", ErrTokenTruncated},
		"prefix only":       {tokenPrefix, ErrTokenTruncated},
		"last one missing":  {s[:len(s)-1], ErrTokenTruncated},
		"half":              {s[:len(s)/2], ErrTokenTruncated},
		"first one missing": {tokenPrefix + s[len(tokenPrefix)+1:], ErrTokenTruncated},
		"one too many":      {s + "A", ErrTokenCorrupt},
		"pasted twice":      {s + s, ErrTokenCorrupt},
		"typo":              {flip(50), ErrTokenCorrupt},
		"two halves":        {s[:70] + other[70:], ErrTokenCorrupt},
		"not base 32":       {s[:50] + "!" + s[51:], ErrTokenCorrupt},
	} {
		if _, err := ParseToken(tc.text); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for i := len(tokenPrefix); i < len(s); i++ {
		if tok, err := ParseToken(flip(i)); err == nil && tok.String() != s {
			t.Errorf("typo at %d went unnoticed", i)
		}
	}
}

func TestNewTokenRefuses(t *testing.T) {
	for name, a := range map[string][3]string{
		"id":      {"x", cluster1, strings.Repeat("ab", 32)},
		"cluster": {tokenID, "", strings.Repeat("ab", 32)},
		"hash":    {tokenID, cluster1, "abcd"},
	} {
		if _, err := NewToken(a[0], a[1], a[2]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if s := (Token{}).String(); s != "" {
		t.Errorf("the zero token reads %q", s)
	}
}

func TestSecretHash(t *testing.T) {
	tok := mustToken(t)
	hash := HashSecret(tok.Secret)
	if !VerifySecret(hash, tok.Secret) {
		t.Error("the right secret is refused")
	}
	if VerifySecret(hash, mustToken(t).Secret) || VerifySecret(hash, nil) || VerifySecret("", tok.Secret) {
		t.Error("a wrong secret passes")
	}
}

func TestTokenStaysOutOfLogs(t *testing.T) {
	tok := mustToken(t)
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("made", "token", tok)
	asBytes := fmt.Sprintf("%v", tok.Secret)
	if strings.Contains(b.String(), tok.String()) || strings.Contains(b.String(), asBytes) || !strings.Contains(b.String(), tokenID) {
		t.Errorf("logged %s", b.String())
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(mustToken(f).String())
	f.Add("MUSTER-1-AAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err != nil {
			return
		}
		back, err := ParseToken(tok.String())
		if err != nil || !cmp.Equal(back, tok) {
			t.Errorf("%q became %+v, %v", s, back, err)
		}
	})
}
