-- Puts the ids Auth gave to the two users where their sample rows had placeholders.
update public.customers set user_id = :'alice' where user_id = 'a11ce000-0000-4000-8000-000000000001';
update public.customers set user_id = :'bob' where user_id = 'b0b00000-0000-4000-8000-000000000002';
update public.orders set user_id = :'alice' where user_id = 'a11ce000-0000-4000-8000-000000000001';
update public.orders set user_id = :'bob' where user_id = 'b0b00000-0000-4000-8000-000000000002';
update public.notes set user_id = :'alice' where user_id = 'a11ce000-0000-4000-8000-000000000001';
update public.notes set user_id = :'bob' where user_id = 'b0b00000-0000-4000-8000-000000000002';
