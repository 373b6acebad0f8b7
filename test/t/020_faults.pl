# A remote that answers wrongly gives an error, never an empty or a short result; and the next query is fine.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Door;
use IO::Compress::Gzip qw(gzip);
use IO::Socket::INET;
use Stack;
use Test::More;
use Time::HiRes qw(time);

my $stack = Stack->running;
my $http = $stack->env('URL_HTTP');
my $json = 'Content-Type: application/json; charset=utf-8';
my $range = 'Content-Range: 0-999/*';

# Where redirects point to: nothing may ever arrive there.
my $elsewhere = Door->new(sub { my ($client) = @_; print $client Door::answer(status => 200, headers => [$json], body => '[]'); return 0 });

sub say_and_close { my ($client, $bytes) = @_; print $client $bytes; return 0 }
sub plain { my ($status, $body, @headers) = @_; return Door::answer(status => $status, body => $body, headers => \@headers) }

# The head of an answer, with the right length, and the beginning of its body.
sub cut { my ($answer) = @_; return Door::answer(%$answer, length => length $answer->{body}, body => substr $answer->{body}, 0, 5000) }

# The first rows of an answer, without the bracket that would end them.
sub some_rows { my ($answer) = @_; return $answer->{body} =~ /\A(.{5000}.*?\})/s ? $1 : die 'too few rows' }

# What was sent with a request, as a remote that means harm would repeat it.
sub credentials {
  my ($request) = @_;
  my ($authorization) = $request->{head} =~ /^authorization: *([^\r]*)/im;
  my ($key) = $request->{head} =~ /^apikey: *([^\r]*)/im;
  return ($authorization // 'no token', $key // 'no key');
}

# mode => sub ($client, $request, $number, $answer): writes an answer, returns whether the connection is kept. $answer is the right one.
my %fault = (
  cut_length => sub { my ($c, $r, $n, $a) = @_; say_and_close($c, cut($a)) },
  cut_chunked => sub {
    my ($c, $r, $n, $a) = @_;
    my $head = Door::answer(%$a, headers => [@{$a->{headers}}, 'Transfer-Encoding: chunked'], body => '');
    say_and_close($c, $head . sprintf("%x\r\n", length $a->{body}) . substr $a->{body}, 0, 5000);
  },
  no_last_chunk => sub {
    my ($c, $r, $n, $a) = @_;
    my $head = Door::answer(%$a, headers => [@{$a->{headers}}, 'Transfer-Encoding: chunked'], body => '');
    say_and_close($c, $head . sprintf("%x\r\n%s\r\n", length $a->{body}, $a->{body}));
  },
  bad_chunk_size => sub {
    my ($c, $r, $n, $a) = @_;
    say_and_close($c, Door::answer(%$a, headers => [@{$a->{headers}}, 'Transfer-Encoding: chunked'], body => '') . "8000000000000000\r\n$a->{body}");
  },
  cut_at_row => sub { my ($c, $r, $n, $a) = @_; say_and_close($c, Door::answer(%$a, body => some_rows($a))) },
  cut_unframed => sub {
    my ($c, $r, $n, $a) = @_;
    say_and_close($c, join "\r\n", 'HTTP/1.1 200 OK', @{$a->{headers}}, 'Connection: close', '', some_rows($a) . ']');
  },
  cut_and_closed_array => sub { my ($c, $r, $n, $a) = @_; say_and_close($c, Door::answer(%$a, body => some_rows($a) . ']')) },
  empty_against_range => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, body => '[]'); return 1 },
  later_page_empty => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, $n == 3 ? (body => '[]') : ()); return 1 },
  later_page_short => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, $n == 3 ? (body => some_rows($a) . ']') : ()); return 1 },
  html => sub { print {$_[0]} plain(200, '<html><body>Please <b>log in</b></body></html>', 'Content-Type: text/html', $range); return 1 },
  wrong_type => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, headers => ['Content-Type: text/csv', grep { !/^content-type/i } @{$a->{headers}}]); return 1 },
  no_type => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, headers => [grep { !/^content-type/i } @{$a->{headers}}]); return 1 },
  null => sub { print {$_[0]} plain(200, 'null', $json, $range); return 1 },
  object => sub { print {$_[0]} plain(200, '{}', $json, $range); return 1 },
  empty => sub { print {$_[0]} plain(200, '', $json, $range); return 1 },
  array_of_arrays => sub { print {$_[0]} plain(200, '[[1,"a"]]', $json, $range); return 1 },
  no_range => sub { print {$_[0]} plain(200, '[]', $json); return 1 },
  bad_range => sub { print {$_[0]} plain(200, '[]', $json, 'Content-Range: rows'); return 1 },
  extra_column => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"\}/","c2":1}/g; print $c Door::answer(%$a, body => $b); return 1 },
  missing_column => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/,"c1":"v500"//; print $c Door::answer(%$a, body => $b); return 1 },
  other_name => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"c1":"v500"/"c7":"v500"/; print $c Door::answer(%$a, body => $b); return 1 },
  column_twice => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"c1":"v500"/"c0":1,"c1":"v500"/; print $c Door::answer(%$a, body => $b); return 1 },
  wrong_value => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"c0":500,/"c0":"five",/; print $c Door::answer(%$a, body => $b); return 1 },
  too_large_value => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"c0":500,/"c0":5000000000,/; print $c Door::answer(%$a, body => $b); return 1 },
  bad_utf8 => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/v500/\xc0\xaf/; print $c Door::answer(%$a, body => $b); return 1 },
  lone_surrogate => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/v500/\\ud800/; print $c Door::answer(%$a, body => $b); return 1 },
  nul => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/v500/\\u0000/; print $c Door::answer(%$a, body => $b); return 1 },
  nul_byte => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/v500/\0/; print $c Door::answer(%$a, body => $b); return 1 },
  deep => sub { my ($c, $r, $n, $a) = @_; my $deep = ('[' x 500000) . (']' x 499999); (my $b = $a->{body}) =~ s/"v500"/$deep/; print $c Door::answer(%$a, body => $b); return 1 },
  too_many_rows => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/\]\z/,{"c0":1001,"c1":"v"}]/; print $c Door::answer(%$a, body => $b); return 1 },
  no_content => sub { print {$_[0]} "HTTP/1.1 204 No Content\r\n$range\r\n\r\n"; return 1 },
  not_modified => sub { print {$_[0]} "HTTP/1.1 304 Not Modified\r\n$range\r\n\r\n"; return 1 },
  status_999 => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, status => 999); return 0 },
  created => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, status => 201); return 1 },
  old_http => sub { my ($c, $r, $n, $a) = @_; say_and_close($c, $a->{body}) },
  two_lengths => sub { my ($c, $r, $n, $a) = @_; my $l = length $a->{body}; print $c Door::answer(%$a, headers => [@{$a->{headers}}, "Content-Length: $l", 'Content-Length: 5000']); return 0 },
  negative_length => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, length => -1); return 0 },
  length_and_chunked => sub {
    my ($c, $r, $n, $a) = @_;
    my $head = Door::answer(%$a, headers => [@{$a->{headers}}, 'Content-Length: 7', 'Transfer-Encoding: chunked'], body => '');
    say_and_close($c, $head . sprintf("%x\r\n%s\r\n0\r\n\r\n", length $a->{body}, $a->{body}));
  },
  many_headers => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, headers => [@{$a->{headers}}, map { "X-Header-$_: value" } 1 .. 10000]); return 0 },
  long_header => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, headers => [@{$a->{headers}}, 'X-Long: ' . 'x' x 1_000_000]); return 0 },
  many_100 => sub { my ($c, $r, $n, $a) = @_; print $c "HTTP/1.1 100 Continue\r\n\r\n" x 20000, Door::answer(%$a); return 0 },
  reset_in_head => sub { print {$_[0]} "HTTP/1.1 200 OK\r\nContent-Type: app"; Door::reset_at_close($_[0]) },
  reset_after_head => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, length => length $a->{body}, body => ''); Door::reset_at_close($c) },
  reset_in_body => sub { my ($c, $r, $n, $a) = @_; print $c cut($a); Door::reset_at_close($c) },
  no_answer => sub { return 0 },
  server_error_page => sub { print {$_[0]} plain(500, '<html><h1>Internal <script>x</script>Server Error</h1></html>', 'Content-Type: text/html'); return 1 },
  bad_gateway_page => sub { print {$_[0]} plain(502, '<html>bad gateway</html>', 'Content-Type: text/html', 'Retry-After: 0'); return 1 },
  unavailable => sub { print {$_[0]} plain(503, '', 'Retry-After: 0'); return 1 },
  too_many => sub { print {$_[0]} plain(429, '{"message":"slow down"}', $json, 'Retry-After: 0'); return 1 },
  brotli => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, headers => [@{$a->{headers}}, 'Content-Encoding: br']); return 0 },
  gzip_twice => sub { my ($c, $r, $n, $a) = @_; gzip \$a->{body} => \my $once; gzip \$once => \my $twice; print $c Door::answer(%$a, body => $twice, headers => [@{$a->{headers}}, 'Content-Encoding: gzip, gzip']); return 0 },
  gzip_cut => sub { my ($c, $r, $n, $a) = @_; gzip \$a->{body} => \my $z; print $c Door::answer(%$a, body => substr($z, 0, -20), headers => [@{$a->{headers}}, 'Content-Encoding: gzip']); return 0 },
  bomb => sub {
    my ($c, $r, $n, $a) = @_;
    my $body = '[{"c0":1,"c1":"' . 'x' x 100_000_000 . '"}]';
    gzip \$body => \my $z, -Level => 9;
    print $c Door::answer(%$a, body => $z, headers => [@{$a->{headers}}, 'Content-Encoding: gzip']);
    return 0;
  },
  endless => sub {
    my ($c, $r, $n, $a) = @_;
    print $c Door::answer(%$a, headers => [@{$a->{headers}}, 'Transfer-Encoding: chunked'], body => '');
    my $piece = ',' . '{"c0":1,"c1":"x"}' x 1000;
    for (1 .. 10000) { print $c sprintf("%x\r\n%s\r\n", length $piece, $piece) or return 0 }
    return 0;
  },
  declared_too_large => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, length => 300 * 1024 * 1024, body => '['); return 0 },
  silent => sub { sleep 4; return 0 },
  # the error bodies
  echo => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(400, qq({"code":"P0001","message":"you sent $t with $k","details":"$t$t","hint":"\\u001b]0;$k\\u0007"}), $json); return 1 },
  echo_parts => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); my @p = split /\./, $t; print $c plain(400, qq({"message":"$p[1] and $p[2]","details":"@{[substr $k, 0, -4]}"}), $json); return 1 },
  echo_page => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(500, "<html><p>$t</p><p>$k</p></html>", 'Content-Type: text/html'); return 1 },
  echo_page_200 => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(200, "<html><p>$t</p><p>$k</p></html>", 'Content-Type: text/html', $range); return 1 },
  echo_headers => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(429, '', "Retry-After: $t", "Content-Type: $k"); return 1 },
  echo_type => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(200, '[]', "Content-Type: $t", "Content-Range: $k"); return 1 },
  echo_range => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(200, '[]', $json, "Content-Range: $t"); return 1 },
  echo_key_name => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c plain(200, qq([{"$t":"$k"}]), $json, $range); return 1 },
  echo_status_line => sub { my ($c, $r) = @_; my ($t, $k) = credentials($r); print $c "HTTP/1.1 2x0 $t\r\n$k\r\n\r\n"; return 0 },
  escapes => sub { print {$_[0]} plain(400, qq({"code":"P0001","message":"\\u001b[31mred\\u001b[0m\\r\\nHTTP/1.1 200 OK","hint":"a\\u0000b\\u202ec"}), $json); return 1 },
  megabyte => sub { my $m = 'long ' x 200_000; print {$_[0]} plain(400, qq({"code":"P0001","message":"$m","details":"$m","hint":"$m"}), $json); return 1 },
  code_00000 => sub { print {$_[0]} plain(400, '{"code":"00000","message":"all is well"}', $json); return 1 },
  code_02000 => sub { print {$_[0]} plain(400, '{"code":"02000","message":"no data"}', $json); return 1 },
  code_own => sub { print {$_[0]} plain(400, '{"code":"22012","message":"division by zero"}', $json); return 1 },
  code_57014 => sub { print {$_[0]} plain(500, '{"code":"57014","message":"canceling statement due to statement timeout"}', $json); return 1 },
  jwt_expired => sub { print {$_[0]} plain(401, '{"code":"PGRST303","message":"JWT expired"}', $json, 'WWW-Authenticate: Bearer error="invalid_token"'); return 1 },
  # what ends well
  retry_429 => sub { my ($c, $r, $n, $a) = @_; print $c $n == 1 ? plain(429, '', 'Retry-After: 1') : Door::answer(%$a); return 1 },
  retry_503 => sub { my ($c, $r, $n, $a) = @_; print $c $n <= 2 ? plain(503, '<html>', 'Content-Type: text/html') : Door::answer(%$a); return 1 },
  retry_cut => sub { my ($c, $r, $n, $a) = @_; return say_and_close($c, cut($a)) if $n == 1; print $c Door::answer(%$a); return 1 },
  retry_reset => sub { my ($c, $r, $n, $a) = @_; return Door::reset_at_close($c) if $n <= 2; print $c Door::answer(%$a); return 1 },
  close_each => sub { my ($c, $r, $n, $a) = @_; say_and_close($c, Door::answer(%$a)) },
  close_at_reuse => sub { my ($c, $r, $n, $a) = @_; return 0 if $n == 2; print $c Door::answer(%$a); return 1 },
  answer_twice => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a), $n == 1 ? plain(200, '[{"c0":7,"c1":"stale"}]', $json, 'Content-Range: 0-0/1') : ''; return 1 },
  chunked_small => sub {
    my ($c, $r, $n, $a) = @_;
    print $c Door::answer(%$a, headers => [@{$a->{headers}}, 'Transfer-Encoding: chunked'], body => ''),
      map({ sprintf "%x;ext=1\r\n%s\r\n", length, $_ } $a->{body} =~ /(.{1,100})/gs), "0\r\nX-Trailer: 1\r\n\r\n";
    return 1;
  },
  continue_first => sub { my ($c, $r, $n, $a) = @_; print $c "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", Door::answer(%$a); return 1 },
  bom_and_blanks => sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/([\[\]{}:,])/$1 \n/g; print $c Door::answer(%$a, body => "\xef\xbb\xbf $b "); return 1 },
  cookie => sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, headers => [@{$a->{headers}}, 'Set-Cookie: trap=1; Path=/', 'Alt-Svc: h2=":1"; ma=60']); return 1 },
  same_page => do { my $first; sub { my ($c, $r, $n, $a) = @_; $first = $a if $n == 1; print $c Door::answer(%$first); return 1 } },
);

# Several pages are under way at once: spoils those from the fourth on, or one of them at its first attempt, or what is not
# a page but a look at where to cut the key's range.
{
  my ($pages, $first, %seen);
  my $spoil_pages = sub {
    my ($spoil) = @_;
    return sub {
      my ($c, $r, $n, $a) = @_;
      ($pages, %seen) = (0) if $n == 1;
      my $page = $r->{target} =~ /[?&]limit=(\d+)/ && $1 > 1;
      $first = $a if $n == 1;
      return $spoil->($c, $r, ++$pages, $a) if $page && $pages >= 3;
      $pages++ if $page;
      print $c Door::answer(%$a);
      return 1;
    };
  };
  $fault{stream_cut} = $spoil_pages->($fault{cut_length});
  $fault{stream_500} = $spoil_pages->($fault{server_error_page});
  $fault{stream_html} = $spoil_pages->($fault{html});
  $fault{stream_short} = $spoil_pages->($fault{cut_and_closed_array});
  $fault{stream_empty} = $spoil_pages->($fault{empty_against_range});
  $fault{stream_own} = $spoil_pages->($fault{code_own});
  $fault{stream_expired} = $spoil_pages->($fault{jwt_expired});
  $fault{stream_reset} = $spoil_pages->($fault{reset_in_body});
  $fault{stream_value} = $spoil_pages->(sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"c0":\d+/"c0":"five"/; print $c Door::answer(%$a, body => $b); return 1 });
  # rows of another range, as a cache that mixes them up would give
  $fault{stream_mixed} = $spoil_pages->(sub { my ($c) = @_; print $c Door::answer(%$first); return 1 });
  $fault{one_stream} = $spoil_pages->(sub { my ($c, $r, $n, $a) = @_; return $fault{code_own}->($c, $r, $n, $a) if $n == 4; print $c Door::answer(%$a); return 1 });
  # each page ends well at its second attempt, whichever way the first one went
  my @ways = map { $fault{$_} } qw(cut_length unavailable reset_in_head no_answer);
  $fault{retry_streams} = $spoil_pages->(sub { my ($c, $r, $n, $a) = @_; return $ways[$n % @ways]->($c, $r, $n, $a) if !$seen{$r->{target}}++; print $c Door::answer(%$a); return 1 });
  my $spoil_probes = sub { my ($spoil) = @_; return sub { my ($c, $r, $n, $a) = @_; return $spoil->($c, $r, $n, $a) if $r->{target} =~ /[?&]limit=1(&|\z)/; print $c Door::answer(%$a); return 1 } };
  $fault{probe_500} = $spoil_probes->($fault{server_error_page});
  $fault{probe_html} = $spoil_probes->($fault{html});
  $fault{probe_lost} = $spoil_probes->($fault{no_answer});
  $fault{probe_empty} = $spoil_probes->(sub { my ($c, $r, $n, $a) = @_; print $c Door::answer(%$a, body => '[]', headers => [$json, 'Content-Range: */*']); return 1 });
  $fault{probe_wild} = $spoil_probes->(sub { my ($c, $r, $n, $a) = @_; (my $b = $a->{body}) =~ s/"c0":\d+/"c0":@{[$n % 2 ? 999999999 : -5]}/; print $c Door::answer(%$a, body => $b); return 1 });
}
for my $status (300, 301, 302, 303, 307, 308) {
  $fault{"redirect_$status"} = sub { print {$_[0]} plain($status, '[]', $json, $range, 'Location: ' . $elsewhere->url . '/rest/v1/t1000?apikey=1'); return 1 };
}

my $door = Door->new(sub {
  my ($client, $request, $number, $mode) = @_;
  my $answer = Door::forward($http, $request);
  if (my $spoil = $fault{$mode}) { return $spoil->($client, $request, $number, $answer) }
  print $client Door::answer(%$answer);
  return 1;
});

my $database = $stack->database();
# rows are what is read here, so nothing is counted or grouped there
$stack->server($database, 'f', $door->url, {aggregates => 'false'});
$stack->server($database, 'small', $door->url, {max_response_size => '64kB'});
$stack->server($database, 'hasty', $door->url, {request_timeout => '1s', max_retries => 0});
my $refused = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
my $closed_port = $refused->sockport;
$refused->close;
$stack->server($database, 'nobody', "http://127.0.0.1:$closed_port");

my $log = $stack->log_end;
my $session = $stack->session($database);
my $token = $stack->env('ALICE_HTTP_JWT');
$session->value("SET log_error_verbosity = verbose; SET statement_timeout = '30s'");
$session->value("SELECT email FROM supabase_set_auth('$token')");
my $query = 'SELECT count(*), sum(id), max(val) FROM f.t1000';
my $right = '1000|500500|v999';
my $pid = $session->backend;

sub resident { my ($pid) = @_; open my $f, '<', "/proc/$pid/status" or return 0; local $/; return <$f> =~ /^VmRSS:\s+(\d+)/m ? $1 : 0 }

sub next_is_fine {
  my ($name) = @_;
  $door->play('pass');
  is($session->run($query)->state eq '00000' ? $session->output : $session->message, $right, "$name: the next query");
  is($session->value('SELECT pg_backend_pid()'), $pid, "$name: the same backend");
}

sub fails {
  my ($name, $state, $statement, $requests) = @_;
  $door->play($name);
  $session->run($statement // $query);
  is($session->state, $state, "$name: $state") or diag $session->message, substr $session->output, 0, 300;
  is($session->output, '', "$name: no rows");
  is($stack->count_secrets($session->message), 0, "$name: no secret in the message") or diag $session->message;
  is($door->requests, $requests, "$name: $requests requests") if defined $requests;
  my $message = $session->message;
  next_is_fine($name);
  return $message;
}

next_is_fine('at first');

# cut off
fails($_, '08006') for qw(cut_length cut_chunked no_last_chunk reset_in_head reset_after_head reset_in_body no_answer);
fails('cut_length', '08006', $query, 4);
fails($_, '08P01') for qw(cut_at_row cut_unframed gzip_cut);
like(fails('bad_chunk_size', '08006'), qr/answer/, 'bad_chunk_size: message');
# whole, but fewer rows than it says
fails($_, '08P01') for qw(empty_against_range cut_and_closed_array);
fails($_, '08P01', 'SELECT sum(n) FROM f.nokey') for qw(later_page_empty later_page_short);

# not what was asked for
like(fails('html', '08P01'), qr/^(?!.*<b>)/s, 'html: no tags in the message');
fails($_, '08P01') for qw(wrong_type no_type null object empty array_of_arrays no_range bad_range extra_column missing_column other_name column_twice
  too_many_rows no_content created old_http two_lengths negative_length length_and_chunked status_999 brotli gzip_twice nul_byte);
fails('not_modified', '08004');
fails('wrong_value', '22P02');
fails('too_large_value', '22003');
fails('bad_utf8', '08P01');
like(fails($_, $_ eq 'nul' ? '22P05' : '08P01'), qr/ERROR/, "$_: message") for qw(nul lone_surrogate);
fails('deep', '54000');

# too much
fails($_, '54000') for qw(many_headers long_header many_100 declared_too_large);
my $before = resident($pid);
fails($_, '54000', 'SELECT * FROM small.t1000') for qw(bomb endless);
cmp_ok(resident($pid) - $before, '<', 30_000, 'memory after the large answers, kB');

# redirects are not followed
like(fails("redirect_$_", '08004', $query, 1), qr/redirect/, "$_: message") for 301, 302, 303, 307, 308;
fails('redirect_300', '08004', $query, 1);
is($elsewhere->connections, 0, 'redirects: nothing arrived at the other address');

# errors that stay after the retries, or that are not retried
fails('server_error_page', '08006', $query, 1);
fails('bad_gateway_page', '08006', $query, 4);
fails('unavailable', '57P03', $query, 4);
like(fails('too_many', '53400', $query, 4), qr/slow down.*wait/s, 'too_many: says how long to wait');
fails('silent', '08006', 'SELECT * FROM hasty.t1000', 1);
$door->play('pass');
is($session->run('SELECT * FROM nobody.t1000')->state, '08001', 'refused connection');
like($session->message, qr/127\.0\.0\.1/, 'refused connection: the address is in the message');

# what the remote says is not trusted
for my $mode (qw(echo echo_parts echo_page echo_page_200 echo_headers echo_type echo_range echo_key_name echo_status_line escapes megabyte)) {
  my $state = {echo => 'P0001', echo_parts => 'HV00C', echo_page => '08006', echo_headers => '53400', escapes => 'P0001', megabyte => 'P0001'}->{$mode} // '08P01';
  my $message = fails($mode, $state);
  unlike($message, qr/[^\n\x20-\x7e\x80-\xff]/, "$mode: no control character");
  cmp_ok(length $message, '<', 6000, "$mode: short");
}
fails('code_00000', 'HV00C');
fails('code_02000', 'HV00C');
fails('code_own', '22012', $query, 1);
fails('code_57014', '57014', $query, 1);
fails('jwt_expired', '28000', $query, 1);

# pages of several ranges at a time: one that fails is the failure of all, and nothing is left under way
my $all = 'SELECT count(*), sum(id), count(DISTINCT kind) FROM f.events';
my $all_right = '100000|5000050000|5';
$stack->sql("CREATE FOREIGN TABLE f.events (id bigint OPTIONS (key 'true'), kind text) SERVER f", $database);
$door->play('pass');
is($session->value($all), $all_right, 'streams: all rows');
fails("stream_$_", '08006', $all) for qw(cut 500 reset);
fails("stream_$_", '08P01', $all) for qw(html short empty mixed);
fails('stream_own', '22012', $all);
fails('one_stream', '22012', $all);
fails('stream_expired', '28000', $all);
like(fails('stream_value', '22P02', $all), qr/column "id" of foreign table "events"/, 'stream_value: the place');
fails('probe_500', '08006', $all);
fails('probe_lost', '08006', $all);
fails('probe_html', '08P01', $all);
for my $mode (qw(retry_streams probe_empty probe_wild)) {
  $door->play($mode);
  $session->run($all);
  is($session->state eq '00000' ? $session->output : $session->message, $all_right, "$mode: all rows");
}

# in a transaction: what was open before the savepoint goes on after ROLLBACK TO
$door->play('pass');
is($session->value('BEGIN; DECLARE before CURSOR FOR SELECT id FROM f.events ORDER BY id; FETCH 1 FROM before; SAVEPOINT a; '
  . 'DECLARE within CURSOR FOR SELECT id FROM f.events ORDER BY id; FETCH 2 FROM within'), "1\n1\n2", 'savepoint: two cursors');
$door->play('reset_in_body');
is($session->run('MOVE 20000 FROM within')->state, '08006', 'savepoint: a cursor fails');
is($session->run('FETCH 1 FROM before')->state, '25P02', 'savepoint: nothing goes on');
is($session->run('ROLLBACK TO a')->state, '00000', 'savepoint: ROLLBACK TO');
is($session->run($all)->state, '08006', 'savepoint: a query fails');
$session->value('ROLLBACK TO a');
$door->play('pass');
is($session->value("MOVE 3000 FROM before; FETCH 1 FROM before; $all"), "3002\n$all_right", 'savepoint: the outer cursor goes on');
is($session->run('FETCH 1 FROM within')->state, '34000', 'savepoint: the inner cursor has gone');
is($session->value("ROLLBACK; $query"), $right, 'savepoint: after the transaction');
$door->play('code_own');
is($session->run(q{DO $$ DECLARE n bigint; caught int := 0; BEGIN FOR i IN 1 .. 20 LOOP BEGIN SELECT count(*) INTO n FROM f.events; EXCEPTION WHEN division_by_zero THEN caught := caught + 1; END; END LOOP;
  IF caught <> 20 THEN RAISE EXCEPTION '% caught', caught; END IF; END $$})->state, '00000', 'handled twenty times') or diag $session->message;
next_is_fine('handled twenty times');

# a stale copy of a page, for ever: no endless scan, no row twice
$session->value("SET statement_timeout = '5s'");
fails('same_page', '08P01', $query);
$session->value("SET statement_timeout = '30s'");

# these end well
sub succeeds {
  my ($name, $requests) = @_;
  $door->play($name);
  my $start = time;
  $session->run($query);
  is($session->state eq '00000' ? $session->output : $session->message, $right, "$name: all rows");
  is($door->requests, $requests, "$name: $requests requests") if $requests;
  $session->run($query);
  is($session->state eq '00000' ? $session->output : $session->message, $right, "$name: all rows again");
  next_is_fine($name);
  return time - $start;
}
$door->play('pass');
$session->value($query);
my $plain = $door->requests;
cmp_ok(succeeds('retry_429', $plain + 1), '>=', 0.9, 'retry_429: waited as long as it was asked to');
succeeds('retry_503', $plain + 2);
succeeds('retry_cut', $plain + 1);
succeeds('retry_reset');
succeeds($_, $plain) for qw(close_each chunked_small continue_first bom_and_blanks answer_twice);
succeeds('close_at_reuse');
succeeds('cookie', $plain);
$door->play('pass');
$session->value($query);
unlike($door->received, qr/^Cookie:/im, 'no cookie is sent back');

# a count, which has no rows: the number is right or there is none
$stack->server($database, 'counted', $door->url);
my $count = 'SELECT count(*), count(val) FROM counted.t1000';
is($session->value($count), '1000|1000', 'count');
fails($_, '08P01', $count) for qw(no_range bad_range html old_http two_lengths);
fails($_, '08006', $count) for qw(no_answer reset_in_head);
fails('unavailable', '57P03', $count);
fails('code_own', '22012', $count);
fails('jwt_expired', '28000', $count);

# the log has the errors, and no secret
$session->close;
my $logged = $stack->log_since($log);
# but for the statement that set the user, which was a literal
$logged =~ s/^.*statement:.*supabase_set_auth.*$//mg;
like($logged, qr/too many requests|slow down/, 'errors are in the log');
is($stack->count_secrets($logged), 0, 'no secret is in the log');
is(scalar(() = $logged =~ /terminated by signal|PANIC/g), 0, 'no backend crashed');

done_testing;
